//! Counters that are not ours any more: before OTP 27 a function has one for everybody.
//!
//! A tool that arms a function which carries our counter sets that back and has it for its own; at
//! our end our undoing would take it away. So what is lost is let go of: what undoes our counters
//! (in custodian, sentinel and the ledger of this machine) leaves such functions out from then on,
//! and so does pausing. With a session nobody meets us, and nothing is to be done.

use std::collections::{HashMap, HashSet};

use giulia_dist::{Error, ErrorKind, term::Term};
use giulia_model::{ArmedPattern, Mfa};

use super::{Armable, Counter, Tracing, evaluated, lock};
use crate::{Step, Undo, eval};

/// What was counted with one request to the custodian, which undoes it together.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) id: u64,
    pub(super) what: Vec<Armable>,
}

/// What carries a counter that is not ours.
#[derive(Debug, Default)]
pub(super) struct LetGo {
    functions: HashSet<Mfa>,
    /// Nothing is left of them.
    modules: HashSet<String>,
}

/// Undoing travels in one message below 64 KiB.
const UNDO_BYTES_MAX: usize = 48 << 10;

impl LetGo {
    /// Whether a function's counter of calls is another's.
    pub(super) fn has(&self, mfa: &Mfa) -> bool {
        self.functions.contains(mfa) || self.modules.contains(&mfa.module)
    }

    /// Of modules that are not whole any more, the functions that are another's.
    fn except(&self) -> HashMap<&str, Vec<&Mfa>> {
        let mut except: HashMap<&str, Vec<&Mfa>> = HashMap::new();
        let mut functions: Vec<&Mfa> = self.functions.iter().collect();
        functions.sort();
        for it in functions {
            except.entry(&it.module).or_default().push(it);
        }
        except
    }
}

impl Tracing {
    /// Lets go of functions whose counter of calls is gone or was set back, and of modules that have
    /// no other: nothing that we do from here on changes them. From OTP 27 on nobody meets us.
    ///
    /// # Errors
    ///
    /// Those of a keeper that is gone; [`ErrorKind::Request`] where they are too many to be told in
    /// one message, and what undoes them stays as it was.
    pub async fn let_go(&self, functions: &[Mfa], modules: &[String]) -> Result<(), Error> {
        if self.is_isolated() || functions.is_empty() {
            return Ok(());
        }
        {
            let mut let_go = lock(&self.let_go);
            let_go.functions.extend(functions.iter().cloned());
            let_go.modules.extend(modules.iter().cloned());
        }
        let touched: HashSet<&str> = functions.iter().map(|it| it.module.as_str()).collect();
        let parts: Vec<Part> = lock(&self.parts)
            .iter()
            .filter(|part| part.what.iter().any(|it| touched.contains(it.module())))
            .cloned()
            .collect();
        for part in parts {
            let steps = self.undoing(&part.what);
            if steps.iter().map(Step::bytes).sum::<usize>() > UNDO_BYTES_MAX {
                let text = "too many functions were lost for what undoes the others to be told";
                return Err(Error::new(ErrorKind::Request, text));
            }
            self.keeper.undo_by(&self.name, part.id, Undo::Told(steps)).await?;
        }
        let peer = self.link.connection().peer();
        if let Some(ledger) = self.link.ledger() {
            let patterns: Vec<ArmedPattern> = functions.iter().map(pattern).collect();
            let written = ledger.let_go(&peer.name.to_string(), peer.creation, &patterns);
            written.map_err(|error| {
                let text = format!("what was let go of could not be written down: {error}");
                Error::new(ErrorKind::Request, text)
            })?;
        }
        Ok(())
    }

    /// What undoes counters of calls, without those that are another's.
    pub(super) fn undoing(&self, what: &[Armable]) -> Vec<Step> {
        let let_go = lock(&self.let_go);
        let except = let_go.except();
        let mut steps = Vec::new();
        let mut in_part = Vec::new();
        for it in what.iter().filter(|it| !let_go.modules.contains(it.module())) {
            match it {
                Armable::Function(mfa) if let_go.functions.contains(mfa) => {}
                Armable::Module(module) if except.contains_key(module.as_str()) => {
                    in_part.push(module.as_str());
                }
                Armable::Function(_) | Armable::Module(_) => {
                    let kinds = Term::list([Term::atom(Counter::Calls.name())]);
                    let args = vec![it.pattern(), Term::boolean(false), kinds];
                    steps.push(Step::new("erlang", "trace_pattern", args));
                }
            }
        }
        if !in_part.is_empty() {
            let told = excepted(&in_part, &except, Term::boolean(false));
            steps.push(evaluated(eval::UNCOUNT, told));
        }
        steps
    }

    /// Of modules and functions, those that are ours as they stand, and what pauses the rest of
    /// those that are not.
    pub(super) fn to_pause(&self, what: &[Armable]) -> (Vec<Armable>, Option<Term<'static>>) {
        let let_go = lock(&self.let_go);
        let except = let_go.except();
        let (mut whole, mut in_part) = (Vec::new(), Vec::new());
        for it in what.iter().filter(|it| !let_go.modules.contains(it.module())) {
            match it {
                Armable::Function(mfa) if let_go.functions.contains(mfa) => {}
                Armable::Module(module) if except.contains_key(module.as_str()) => {
                    in_part.push(module.as_str());
                }
                Armable::Function(_) | Armable::Module(_) => whole.push(it.clone()),
            }
        }
        let told = excepted(&in_part, &except, Term::atom("pause"));
        (whole, (!in_part.is_empty()).then_some(told))
    }
}

/// What `erl/uncount.erl` is told.
fn excepted(
    modules: &[&str],
    except: &HashMap<&str, Vec<&Mfa>>,
    value: Term<'static>,
) -> Term<'static> {
    let told = modules.iter().map(|module| {
        let functions = except
            .get(module)
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(|it| Term::tuple([Term::atom(it.function.clone()), Term::int(it.arity)]));
        Term::tuple([Term::atom((*module).to_owned()), Term::list(functions)])
    });
    Term::tuple([Term::list(told), value])
}

fn pattern(mfa: &Mfa) -> ArmedPattern {
    ArmedPattern {
        module: mfa.module.clone(),
        function: Some((mfa.function.clone(), mfa.arity)),
        kind: Counter::Calls.name().to_owned(),
        match_spec: None,
    }
}
