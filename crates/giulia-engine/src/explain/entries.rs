//! How a loop is entered: a library may call a function from its front door for the first element,
//! and from a helper for the others (`lists:map/2` and `lists:map_1/2` from OTP 27 on).

use giulia_model::Mfa;
use giulia_probe::loaded_bytecode;

use super::written::targets;
use crate::{Attempt, Error, remote};

/// The functions of its own module that call this one, by the bytecode of the node.
///
/// # Errors
/// When the node could not be attached to or everything took too long. Without bytecode there are
/// none.
pub(crate) async fn entries(
    node: &str,
    function: &Mfa,
    attempt: Attempt<'_>,
) -> Result<Vec<Mfa>, Error> {
    let link = remote::enter(node, attempt).await?;
    let reading = async { Ok(loaded_bytecode(&link, &function.module).await.ok()) };
    let bytes = attempt.bounds.run("asking the node", reading).await?;
    Ok(bytes.map(|it| callers(&it, function)).unwrap_or_default())
}

fn callers(bytes: &[u8], function: &Mfa) -> Vec<Mfa> {
    let Ok(facts) = giulia_code::facts(bytes) else { return Vec::new() };
    let of = facts.functions.iter().filter(|it| targets(&facts, it).any(|it| it == function));
    let mut all: Vec<Mfa> = of
        .map(|it| Mfa::new(facts.module.as_str(), it.name.as_str(), it.arity).written_in())
        .filter(|it| it != function)
        .collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_it_in_its_own_module_and_not_itself() {
        const SPIN: &[u8] = include_bytes!("../../../../fixtures/beam/spin.beam");
        let names = |name| -> Vec<String> {
            callers(SPIN, &Mfa::new("spin", name, 1)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("down"), ["spin:calls/1"]);
        assert_eq!(names("even"), ["spin:odd/1", "spin:serve/1"]);
        assert!(names("gone").is_empty());
    }
}
