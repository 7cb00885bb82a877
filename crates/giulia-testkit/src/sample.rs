//! The sample application on a node: what is planted, and what is therefore true.

use crate::{fail::OrFail, node::Node};

/// The running application of `targets/sample`; see `src/sample.erl` there.
#[derive(Debug)]
pub struct Sample<'node> {
    node: &'node Node,
}

/// A table that the sample made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleTable {
    /// Its name; one of them is not registered under it.
    pub name: String,
    /// `set`, `ordered_set`, `bag` or `duplicate_bag`.
    pub kind: String,
    /// `public`, `protected` or `private`.
    pub access: String,
    /// Objects in it.
    pub objects: u64,
}

impl Node {
    /// Starts the sample application: tables at once, loads when they are planted.
    #[track_caller]
    pub fn sample(&self) -> Sample<'_> {
        self.eval("{ok, _} = application:ensure_all_started(sample)");
        Sample { node: self }
    }
}

impl Sample<'_> {
    /// Plants a load by its Erlang term: `ratio`, `mailbox`, `pool`, `{idle, 200000}`, `load`.
    #[track_caller]
    pub fn plant(&self, what: &str) -> &Self {
        self.node.eval(&format!("ok = sample:plant({what})"));
        self
    }

    /// The processes of `ratio` and how many units each does in a period, least first.
    #[track_caller]
    pub fn workers(&self) -> Vec<(String, u32)> {
        let lines = self.lines(
            "#{pace := #{workers := W}} = sample:truth(),
             [io_lib:format(\"~w ~w~n\", [P, K]) || {P, K} <- W]",
        );
        let pair = |line: &String| {
            let (pid, units) = line.split_once(' ')?;
            Some((pid.to_owned(), units.parse().ok()?))
        };
        lines.iter().filter_map(pair).collect()
    }

    /// How many periods of `ratio` are over.
    #[track_caller]
    pub fn periods(&self) -> u64 {
        let periods = self.node.eval("#{pace := #{periods := N}} = sample:truth(), N");
        periods.parse().or_fail("the sample's periods")
    }

    /// The 50 processes of `pool`.
    #[track_caller]
    pub fn pool(&self) -> Vec<String> {
        self.lines(
            "#{pool := {Pids, _}} = sample:truth(), [io_lib:format(\"~w~n\", [P]) || P <- Pids]",
        )
    }

    /// The tables and their sizes.
    #[track_caller]
    pub fn tables(&self) -> Vec<SampleTable> {
        let lines = self.lines(
            "#{tables := Tables} = sample:truth(),
             [io_lib:format(\"~w ~w ~w ~w~n\", tuple_to_list(It)) || It <- Tables]",
        );
        let table = |line: &String| {
            let mut words = line.split(' ').map(str::to_owned);
            Some(SampleTable {
                name: words.next()?,
                kind: words.next()?,
                access: words.next()?,
                objects: words.next()?.parse().ok()?,
            })
        };
        lines.iter().filter_map(table).collect()
    }

    /// The lines of an iolist; comes back as a printed string, so its quotes are undone.
    #[track_caller]
    fn lines(&self, expressions: &str) -> Vec<String> {
        let printed = self.node.eval(&format!("lists:flatten(begin {expressions} end)"));
        let lines = printed.trim_matches('"').split("\\n");
        lines.filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }
}
