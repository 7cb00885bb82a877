//! What a process is called: registered name, label, real initial call, or what it runs in.
//!
//! `proc_lib` is looked through. A process that `proc_lib` started and that could not be asked
//! for its real initial call has no name, rather than that one.

use giulia_dist::term::Term;
use giulia_model::{Mfa, NameSource};

/// Longer labels are cut here, in characters: a label is a caption, not a document.
const LABEL_CHARS_MAX: usize = 80;

/// Everything that a process can be called after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) registered: Option<String>,
    pub(crate) label: Option<Label>,
    /// `$initial_call`: what `proc_lib` started for it.
    pub(crate) call: Option<Mfa>,
    /// What it was spawned with.
    pub(crate) initial: Option<Mfa>,
    /// The outermost function on its stack, where it was spawned with a fun.
    pub(crate) outermost: Option<Mfa>,
}

/// A label as shown, and what labels of its kind have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    shown: String,
    kind: String,
}

/// Who cannot be named, in groups.
const UNNAMED: &str = giulia_model::ProcessGroup::UNNAMED;

impl Traits {
    /// Its name and where that is from.
    pub(crate) fn name(&self) -> (String, NameSource) {
        if let Some(name) = &self.registered {
            return (atom(name).to_owned(), NameSource::Registered);
        }
        if let Some(label) = &self.label {
            return (label.shown.clone(), NameSource::Label);
        }
        self.called()
    }

    /// What it shares with processes that are alike: the kind of its label, or its call.
    pub(crate) fn group(&self) -> String {
        match &self.label {
            Some(label) => label.kind.clone(),
            None => self.called().0,
        }
    }

    /// [`Self::group`], but a registered process is its own group.
    pub(crate) fn shared_name(&self) -> String {
        match &self.registered {
            Some(name) => atom(name).to_owned(),
            None => self.group(),
        }
    }

    /// The function that it was started with, `proc_lib` looked through.
    pub(crate) fn initial_call(&self) -> Option<&Mfa> {
        self.call.as_ref().or_else(|| self.initial.as_ref().filter(|it| !is_proc_lib(it)))
    }

    fn called(&self) -> (String, NameSource) {
        if let Some(call) = &self.call {
            return (call.to_string(), NameSource::InitialCall);
        }
        match (&self.initial, &self.outermost) {
            (Some(initial), _) if is_proc_lib(initial) => (UNNAMED.to_owned(), NameSource::Unknown),
            (Some(initial), Some(outermost)) if is_fun(initial) => {
                (outermost.to_string(), NameSource::OutermostFunction)
            }
            (Some(initial), _) => (initial.to_string(), NameSource::SpawnedWith),
            (None, _) => (UNNAMED.to_owned(), NameSource::Unknown),
        }
    }
}

impl Label {
    /// A label from its term; absent where it is no label.
    #[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
    pub(crate) fn new(term: &Term<'_>) -> Option<Self> {
        match term {
            Term::Atom(name) if *name == "undefined" || *name == "false" => None,
            // Stands in where a label must not be asked.
            Term::Pid(_) => None,
            // Stands in for a label above the size that the probe brings.
            Term::Atom(name) if *name == "system_limit" => {
                Some(Self { shown: "(long label)".into(), kind: "(long label)".into() })
            }
            // `{room, 17}` and `{room, 18}` are rooms.
            Term::Tuple(parts) => match parts.first() {
                Some(Term::Atom(first)) if parts.len() > 1 => {
                    let rest = ",_".repeat(parts.len() - 1);
                    let kind = format!("{{{}{rest}}}", atom(first));
                    Some(Self { shown: cut(&term.to_string()), kind })
                }
                _ => Some(Self::plain(cut(&term.to_string()))),
            },
            Term::Atom(name) => Some(Self::plain(cut(atom(name)))),
            other => {
                let text = crate::answer::text(other).filter(|it| is_printable(it));
                Some(Self::plain(cut(&text.unwrap_or_else(|| other.to_string()))))
            }
        }
    }

    fn plain(shown: String) -> Self {
        Self { kind: shown.clone(), shown }
    }
}

/// A module or a registered name the way its own language writes it.
pub(crate) fn atom(name: &str) -> &str {
    name.strip_prefix("Elixir.").unwrap_or(name)
}

fn is_proc_lib(mfa: &Mfa) -> bool {
    mfa.module == "proc_lib"
}

/// Spawned with a fun: what it was spawned with says nothing.
pub(crate) fn is_fun(mfa: &Mfa) -> bool {
    mfa.module == "erlang" && mfa.function == "apply"
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init_p() -> Mfa {
        Mfa::new("proc_lib", "init_p", 5)
    }

    #[test]
    fn names_come_best_first() {
        let mut it = Traits { initial: Some(init_p()), ..Traits::default() };
        assert_eq!(it.name(), ("(unnamed)".to_owned(), NameSource::Unknown));
        assert_eq!(it.initial_call(), None);
        it.call = Some(Mfa::new("Elixir.KV.Registry", "init", 1));
        assert_eq!(it.name(), ("KV.Registry.init/1".to_owned(), NameSource::InitialCall));
        it.label = Label::new(&Term::tuple([Term::atom("room"), Term::int(17)]));
        assert_eq!(it.name(), ("{room,17}".to_owned(), NameSource::Label));
        assert_eq!(it.group(), "{room,_}");
        it.registered = Some("Elixir.KV.Registry".to_owned());
        assert_eq!(it.name(), ("KV.Registry".to_owned(), NameSource::Registered));
        assert_eq!(it.group(), "{room,_}");
    }

    #[test]
    fn a_fun_is_called_after_what_it_runs_in() {
        let mut it = Traits { initial: Some(Mfa::new("erlang", "apply", 2)), ..Traits::default() };
        assert_eq!(it.name(), ("erlang:apply/2".to_owned(), NameSource::SpawnedWith));
        it.outermost = Some(Mfa::new("shop", "loop", 1));
        assert_eq!(it.name(), ("shop:loop/1".to_owned(), NameSource::OutermostFunction));
    }

    #[test]
    fn text_labels_are_text_and_the_absent_are_absent() {
        let shown = |term: Term<'_>| Label::new(&term).map(|it| it.shown);
        assert_eq!(shown(Term::binary(&b"import"[..])), Some("import".to_owned()));
        assert_eq!(shown(Term::string("import")), Some("import".to_owned()));
        assert_eq!(shown(Term::atom("Elixir.KV.Worker")), Some("KV.Worker".to_owned()));
        assert_eq!(shown(Term::atom("undefined")), None);
        assert_eq!(shown(Term::binary(vec![b'x'; 200])).unwrap().chars().count(), 80);
    }
}
