//! Which functions somebody means, as they write it: in Elixir or Erlang, one or many.
//!
//! | written | means |
//! |---|---|
//! | `Shop.Cart`, `:lists`, `lists`, `'Elixir.Shop.Cart'` | every function of the module, private ones too |
//! | `Shop.*`, `gen_*` | every module whose name fits; `*` stands for any characters |
//! | `app:shop` | the modules that the application lists |
//! | `Shop.Cart.add`, `lists:map`, `:lists.map` | the functions of that name |
//! | `Shop.Cart.add/2`, `lists:map/2`, `Shop.Cart."a b"/1` | one function |
//! | `Shop.Cart.get_*/1`, `lists:*/2` | the functions whose names fit |
//!
//! What stands behind a name (`Shop.Cart.add(_, :error) when …`) is left to whoever asks for it:
//! [`FunctionPattern::parse_prefix`]. No name becomes an atom anywhere by being read here.

mod near;
mod text;

use std::{fmt, str::FromStr};

use crate::Mfa;

pub use near::nearest;

/// Longest name of an atom, in characters.
const NAME_CHARS_MAX: usize = 255;

/// The functions that somebody means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionPattern {
    modules: ModulePattern,
    function: Option<NamePattern>,
    arity: Option<u8>,
}

/// The modules that somebody means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModulePattern {
    /// Those that an application lists.
    Application(String),
    /// Those whose atom fits, `Elixir.` included.
    Named(NamePattern),
}

/// A name, or what names have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamePattern {
    /// This one.
    Exact(String),
    /// Pieces in this order, with anything between two of them; there are at least two.
    Glob(Vec<String>),
}

/// Why a text means no function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPattern(String);

impl FunctionPattern {
    /// Reads a pattern from the beginning of a text, up to a parenthesis or a space outside of
    /// quotes; returns it with the rest.
    ///
    /// # Errors
    /// When no pattern stands there; the text says what would.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), NotAPattern> {
        text::pattern(text)
    }

    /// Exactly this function.
    pub fn of(mfa: &Mfa) -> Self {
        Self {
            modules: ModulePattern::Named(NamePattern::Exact(mfa.module.clone())),
            function: Some(NamePattern::Exact(mfa.function.clone())),
            arity: u8::try_from(mfa.arity).ok(),
        }
    }

    /// The modules.
    pub fn modules(&self) -> &ModulePattern {
        &self.modules
    }

    /// The functions in them; all of them where there is none.
    pub fn function(&self) -> Option<&NamePattern> {
        self.function.as_ref()
    }

    /// How many arguments they take; any number where there is none.
    pub fn arity(&self) -> Option<u8> {
        self.arity
    }

    /// The same with this many arguments, where the number was not written.
    #[must_use]
    pub fn with_arity(mut self, arity: u8) -> Self {
        self.arity = self.arity.or(Some(arity));
        self
    }

    /// Whether whole modules are meant.
    pub fn is_of_modules(&self) -> bool {
        self.function.is_none()
    }

    /// Whether it means a function of this name and arity, in a module that fits.
    pub fn fits(&self, function: &str, arity: u32) -> bool {
        self.function.as_ref().is_none_or(|it| it.fits(function))
            && self.arity.is_none_or(|it| u32::from(it) == arity)
    }
}

impl NamePattern {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        let pieces = match self {
            Self::Exact(exact) => return exact == name,
            Self::Glob(pieces) => pieces,
        };
        let Some((first, rest)) = pieces.split_first() else { return false };
        let Some(mut left) = name.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        // The earliest place of each leaves most room for the next.
        for piece in middle {
            let Some((_, behind)) = left.split_once(piece.as_str()) else { return false };
            left = behind;
        }
        left.ends_with(last.as_str())
    }

    /// The name, where it is one.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(name) => Some(name),
            Self::Glob(_) => None,
        }
    }
}

impl FromStr for FunctionPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let (pattern, rest) = Self::parse_prefix(text)?;
        let rest = rest.trim();
        if rest.is_empty() {
            return Ok(pattern);
        }
        Err(NotAPattern(if rest.starts_with('(') || rest.starts_with("when ") {
            format!("`{text}` asks for arguments, which counters do not see; leave `{rest}` away")
        } else {
            format!("`{text}` goes on after `{pattern}`; several patterns are several arguments")
        }))
    }
}

impl fmt::Display for FunctionPattern {
    /// In a writing that reads as the same pattern again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

impl fmt::Display for NotAPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAPattern {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> FunctionPattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Module, function and arity as a test writes them down: `*` for globs.
    fn parts(text: &str) -> (String, String, Option<u8>) {
        let it = parsed(text);
        let name = |it: &NamePattern| match it {
            NamePattern::Exact(name) => name.clone(),
            NamePattern::Glob(pieces) => format!("glob {}", pieces.join("*")),
        };
        let module = match it.modules() {
            ModulePattern::Application(name) => format!("application {name}"),
            ModulePattern::Named(it) => name(it),
        };
        (module, it.function().map(name).unwrap_or_default(), it.arity())
    }

    fn check(text: &str, module: &str, function: &str, arity: Option<u8>) {
        assert_eq!(parts(text), (module.to_owned(), function.to_owned(), arity), "{text}");
    }

    #[test]
    fn modules_are_read_in_both_languages() {
        check("Shop.Cart", "Elixir.Shop.Cart", "", None);
        check("Elixir.Shop.Cart", "Elixir.Shop.Cart", "", None);
        check("lists", "lists", "", None);
        check(":lists", "lists", "", None);
        check(":\"Elixir.Shop.Cart\"", "Elixir.Shop.Cart", "", None);
        check("'Elixir.Shop.Cart'", "Elixir.Shop.Cart", "", None);
        check("'CamelCase'", "CamelCase", "", None);
        check("gleam@list", "gleam@list", "", None);
        check("Shop.*", "glob Elixir.Shop.*", "", None);
        check("Shop.*.Cart", "glob Elixir.Shop.*.Cart", "", None);
        check("gen_*", "glob gen_*", "", None);
        check("*Repo", "glob *Repo", "", None);
        check("'a*b'", "a*b", "", None);
        check("app:shop", "application shop", "", None);
        check("app:'my shop'", "application my shop", "", None);
    }

    #[test]
    fn functions_are_read_in_both_languages() {
        check("Shop.Cart.add", "Elixir.Shop.Cart", "add", None);
        check("Shop.Cart.add/2", "Elixir.Shop.Cart", "add", Some(2));
        check("Shop.Cart.empty?/1", "Elixir.Shop.Cart", "empty?", Some(1));
        check("Shop.Cart.\"a b\"/1", "Elixir.Shop.Cart", "a b", Some(1));
        check("Shop.Cart:add/2", "Elixir.Shop.Cart", "add", Some(2));
        check("'Elixir.Shop.Cart':add/2", "Elixir.Shop.Cart", "add", Some(2));
        check("lists:map", "lists", "map", None);
        check("lists:map/2", "lists", "map", Some(2));
        check(":lists.map/2", "lists", "map", Some(2));
        check("lists:'-map/2-fun-0-'/1", "lists", "-map/2-fun-0-", Some(1));
        check("lists:-map/2-fun-0-/1", "lists", "-map/2-fun-0-", Some(1));
        check("Kernel.++/2", "Elixir.Kernel", "++", Some(2));
        check("Kernel.//2", "Elixir.Kernel", "/", Some(2));
        check("Kernel.../2", "Elixir.Kernel", "..", Some(2));
        check("Kernel.\"*\"/2", "Elixir.Kernel", "*", Some(2));
        check("Shop.Cart.get_*", "Elixir.Shop.Cart", "glob get_*", None);
        check("Shop.Cart.*/2", "Elixir.Shop.Cart", "glob *", Some(2));
        check("Shop.Cart.*_all", "Elixir.Shop.Cart", "glob *_all", None);
        check("Shop.*.get/1", "glob Elixir.Shop.*", "get", Some(1));
        check("lists:*/2", "lists", "glob *", Some(2));
        check("'app':start/2", "app", "start", Some(2));
    }

    #[test]
    fn what_is_no_pattern_says_what_would_be() {
        for (wrong, says) in [
            ("", "empty"),
            ("*", "every module"),
            ("*:init/1", "every module"),
            ("app:", "application"),
            ("app:sh*", "application"),
            ("lists:", "no function"),
            ("Shop.", "no function"),
            ("lists.map/2", "lists:map/2"),
            ("lists/2", "function"),
            ("Shop.Cart/2", "function"),
            ("lists:map/", "number"),
            ("lists:map/x", "number"),
            ("lists:map/256", "255"),
            ("'lists", "quote"),
            ("'lists'map", "after"),
            ("lists:map/2,lists:nth/2", "comma"),
            ("Shop.Cart.add(_)", "arguments"),
            ("Shop.Cart Shop.Order", "several"),
            ("li\u{7}sts", "after"),
            ("lists:ma\u{7}p", "character"),
        ] {
            let error = wrong.parse::<FunctionPattern>().expect_err(wrong).to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        let long = "a".repeat(256);
        assert!(long.parse::<FunctionPattern>().is_err());
    }

    #[test]
    fn what_stands_behind_a_name_is_left_to_the_caller() {
        for (text, pattern, rest) in [
            ("Shop.Cart.add(_, :error)", "Shop.Cart.add", "(_, :error)"),
            ("lists:map/2 when X > 1", "lists:map/2", " when X > 1"),
            ("Shop.Cart.\"a (b\"(_)", "Shop.Cart.\"a (b\"", "(_)"),
        ] {
            let told = FunctionPattern::parse_prefix(text).unwrap();
            assert_eq!(told, (parsed(pattern), rest), "{text}");
        }
        let arity = |text: &str| parsed(text).with_arity(3).arity();
        assert_eq!((arity("a:b"), arity("a:b/1")), (Some(3), Some(1)));
    }

    #[test]
    fn globs_fit_the_whole_name() {
        let fits = |glob: &str, module: &str| match parsed(glob).modules() {
            ModulePattern::Named(it) => it.fits(module),
            ModulePattern::Application(_) => false,
        };
        assert!(fits("Shop.*", "Elixir.Shop.Cart") && fits("Shop.*", "Elixir.Shop.Cart.Item"));
        assert!(!fits("Shop.*", "Elixir.Shop") && !fits("Shop.*", "Elixir.Shopping.Cart"));
        assert!(fits("Shop*", "Elixir.Shop") && fits("*Repo", "Elixir.Shop.Repo"));
        assert!(!fits("*Repo", "Elixir.Shop.Repository"));
        assert!(fits("a*a", "aa") && !fits("a*a", "a") && !fits("a*b*a", "aa"));
        assert!(parsed("m:f/1").fits("f", 1) && !parsed("m:f/1").fits("f", 2));
        assert!(parsed("m").fits("anything", 7));
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z][a-z0-9_@]{0,6}[?!]?",
            "[A-Z][a-z]{0,4}",
            "-[a-z]{1,3}/[0-9]-fun-[0-9]-",
            "[+*/<>=.!-]{1,3}",
            "[ -~\u{e9}\u{4e2d}]{1,12}",
        ]
    }

    fn module() -> impl Strategy<Value = NamePattern> {
        let elixir = "Elixir(\\.[A-Z][A-Za-z0-9_]{0,5}){1,3}";
        let glob = |head: &'static str| {
            (head, proptest::collection::vec("[a-z0-9_]{0,4}", 1..3))
                .prop_map(|(head, rest)| [vec![head], rest].concat())
        };
        prop_oneof![
            elixir.prop_map(NamePattern::Exact),
            name().prop_map(NamePattern::Exact),
            Just("app".to_owned()).prop_map(NamePattern::Exact),
            glob("Elixir(\\.[A-Z][a-z]{0,3}){1,2}").prop_map(NamePattern::Glob),
            glob("[a-z][a-z0-9_]{0,5}").prop_map(NamePattern::Glob),
        ]
    }

    fn function() -> impl Strategy<Value = NamePattern> {
        prop_oneof![
            name().prop_map(NamePattern::Exact),
            proptest::collection::vec("[a-z0-9_]{0,4}", 2..4).prop_map(NamePattern::Glob),
        ]
    }

    fn pattern() -> impl Strategy<Value = FunctionPattern> {
        let of_modules = prop_oneof![
            name().prop_map(ModulePattern::Application),
            module().prop_map(ModulePattern::Named),
        ]
        .prop_map(|modules| FunctionPattern { modules, function: None, arity: None });
        let of_functions = (module(), function(), proptest::option::of(any::<u8>())).prop_map(
            |(module, function, arity)| FunctionPattern {
                modules: ModulePattern::Named(module),
                function: Some(function),
                arity,
            },
        );
        prop_oneof![of_modules, of_functions]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(it in pattern()) {
            let written = it.to_string();
            prop_assert_eq!(written.parse::<FunctionPattern>(), Ok(it), "{}", written);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~]{0,24}|\\PC{0,12}") {
            if let Ok((it, rest)) = FunctionPattern::parse_prefix(&text) {
                prop_assert!(text.ends_with(rest));
                let written = it.to_string();
                prop_assert_eq!(written.parse::<FunctionPattern>(), Ok(it), "{}", written);
            }
        }

        #[test]
        fn a_function_fits_its_own_pattern(module in name(), function in name(), arity in 0_u32..256) {
            let mfa = Mfa::new(module, function, arity);
            let it = parsed(&FunctionPattern::of(&mfa).to_string());
            prop_assert_eq!(it.modules(), &ModulePattern::Named(NamePattern::Exact(mfa.module)));
            prop_assert!(it.fits(&mfa.function, mfa.arity));
        }
    }
}
