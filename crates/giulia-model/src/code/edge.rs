//! What a graph of code is made of: kinds of nodes and edges, and who says that an edge is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node of a graph is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// An application of OTP.
    Application,
    /// A module.
    Module,
    /// A function; a macro of Elixir is the function `MACRO-name` with one argument more.
    Function,
    /// A type.
    Type,
    /// A process by its registered name.
    Process,
    /// An ETS table by its name; without one, whatever tables its module makes.
    Table,
}

/// In which way something refers to something else.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeKind {
    /// It calls it.
    Call,
    /// It calls it with an instruction of its own: arithmetic, a comparison, a test, a send.
    Bif,
    /// It expands it while compiling.
    Macro,
    /// It makes a fun of it, or names it with its arguments; who calls it then is not known.
    Reference,
    /// `apply` with a constant module and function.
    Apply,
    /// Another process begins with it.
    Spawn,
    /// It hands every call on to it (`defdelegate`).
    Delegate,
    /// A request reaches it: a route of a router.
    Route,
    /// A template shows it.
    Component,
    /// A type or spec names it.
    Type,
    /// It makes, matches or changes its struct or record.
    Struct,
    /// It imports it.
    Import,
    /// It gives it a shorter name.
    Alias,
    /// It needs it compiled, for its macros.
    Require,
    /// It uses it: its `__using__` macro writes a part of the module.
    Use,
    /// It says that it has the behaviour.
    Behaviour,
    /// It implements the protocol.
    Implements,
    /// It names the module as a value.
    Mention,
    /// It starts it as a child of a supervisor.
    Supervises,
    /// It waits for an answer of the process.
    ServerCall,
    /// It sends the process a request and waits for nothing.
    ServerCast,
    /// It sends it a plain message.
    Sends,
    /// It registers or looks up the name.
    Registers,
    /// It creates the table.
    EtsNew,
    /// It reads the table.
    EtsRead,
    /// It writes the table.
    EtsWrite,
    /// It deletes the table or gives it away.
    EtsDelete,
}

impl EdgeKind {
    /// Every kind, in an order that stays: stored graphs number them.
    pub const ALL: &'static [Self] = &[
        Self::Call,
        Self::Bif,
        Self::Macro,
        Self::Reference,
        Self::Apply,
        Self::Spawn,
        Self::Delegate,
        Self::Route,
        Self::Component,
        Self::Type,
        Self::Struct,
        Self::Import,
        Self::Alias,
        Self::Require,
        Self::Use,
        Self::Behaviour,
        Self::Implements,
        Self::Mention,
        Self::Supervises,
        Self::ServerCall,
        Self::ServerCast,
        Self::Sends,
        Self::Registers,
        Self::EtsNew,
        Self::EtsRead,
        Self::EtsWrite,
        Self::EtsDelete,
    ];

    /// What documents call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Bif => "bif",
            Self::Macro => "macro",
            Self::Reference => "reference",
            Self::Apply => "apply",
            Self::Spawn => "spawn",
            Self::Delegate => "delegate",
            Self::Route => "route",
            Self::Component => "component",
            Self::Type => "type",
            Self::Struct => "struct",
            Self::Import => "import",
            Self::Alias => "alias",
            Self::Require => "require",
            Self::Use => "use",
            Self::Behaviour => "behaviour",
            Self::Implements => "implements",
            Self::Mention => "mention",
            Self::Supervises => "supervises",
            Self::ServerCall => "server_call",
            Self::ServerCast => "server_cast",
            Self::Sends => "sends",
            Self::Registers => "registers",
            Self::EtsNew => "ets_new",
            Self::EtsRead => "ets_read",
            Self::EtsWrite => "ets_write",
            Self::EtsDelete => "ets_delete",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// Whether the function may run because of it: what it leads to is reachable.
    pub fn is_control(self) -> bool {
        matches!(
            self,
            Self::Call
                | Self::Bif
                | Self::Reference
                | Self::Apply
                | Self::Spawn
                | Self::Delegate
                | Self::Route
                | Self::Component
        )
    }

    /// Whether a change of what it leads to compiles again what it comes from.
    pub fn is_compile_time(self) -> bool {
        matches!(self, Self::Macro | Self::Struct | Self::Import | Self::Require | Self::Use)
    }
}

/// Who says that an edge is there.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeOrigin {
    /// The code as the compiler was given it, macros expanded.
    DebugInfo,
    /// The code that runs.
    Bytecode,
    /// The source as it is written.
    Source,
    /// The source, without certainty.
    Guess,
}

impl EdgeOrigin {
    /// Every origin; its place is its bit in a stored graph.
    pub const ALL: &'static [Self] = &[Self::DebugInfo, Self::Bytecode, Self::Source, Self::Guess];

    /// What documents call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DebugInfo => "debug_info",
            Self::Bytecode => "bytecode",
            Self::Source => "source",
            Self::Guess => "guess",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_documents() {
        for kind in EdgeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(EdgeKind::named(kind.name()), Some(*kind));
        }
        for origin in EdgeOrigin::ALL {
            assert_eq!(serde_json::to_value(origin).unwrap(), origin.name());
        }
    }
}
