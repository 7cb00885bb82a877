//! How a loop is entered: a library may call a function from its front door for the first element,
//! and from a helper for the others (`lists:map/2` and `lists:map_1/2` from OTP 27 on).

use giulia_code::How;
use giulia_model::Mfa;
use giulia_probe::loaded_bytecode;

use super::written::targets;
use crate::{Attempt, Error, ErrorKind, remote};

/// The functions of its own module that call this one, by the bytecode of the node; none for one
/// that others may call too.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or it has no bytecode that can
/// be read.
pub(crate) async fn entries(
    node: &str,
    function: &Mfa,
    attempt: Attempt<'_>,
) -> Result<Vec<Mfa>, Error> {
    let link = remote::enter(node, attempt).await?;
    let no_bytecode = |why: String| {
        Error::new(ErrorKind::Nothing, format!("{node}: no bytecode of {}: {why}", function.module))
    };
    let reading = async {
        loaded_bytecode(&link, &function.module).await.map_err(|it| no_bytecode(it.to_string()))
    };
    let bytes = attempt.bounds.run("asking the node", reading).await?;
    callers(&bytes, function).map_err(|it| no_bytecode(it.to_string()))
}

fn callers(bytes: &[u8], function: &Mfa) -> Result<Vec<Mfa>, giulia_code::Problem> {
    let facts = giulia_code::facts(bytes)?;
    let is_it = |name: &str, arity| function.function == name && function.arity == arity;
    let own = facts.functions.iter().find(|it| is_it(&it.name, it.arity));
    if own.is_none_or(|it| it.is_exported) {
        return Ok(Vec::new());
    }
    let of = facts.functions.iter().filter(|it| {
        targets(&facts, it).any(|(how, target)| how == How::Call && target == function)
    });
    let named = |name: &str, arity| Mfa::new(facts.module.as_str(), name, arity).written_in();
    Ok(of.map(|it| named(&it.name, it.arity)).filter(|it| it != function).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_a_private_function_of_its_module() {
        const SPIN: &[u8] = include_bytes!("../../../../fixtures/beam/spin.beam");
        let names = |name| -> Vec<String> {
            let found = callers(SPIN, &Mfa::new("spin", name, 1)).unwrap();
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("odd"), ["spin:even/1"]);
        // Others may call these too.
        assert!(names("even").is_empty() && names("down").is_empty());
        assert!(names("gone").is_empty());
        assert!(callers(b"no bytecode", &Mfa::new("spin", "odd", 1)).is_err());
    }
}
