//! The code chunk: which function calls which, and how.
//!
//! Nothing is executed or even understood beyond calls: an instruction is its number and its
//! operands, and all that have another effect than a call are gone over.

use std::collections::HashMap;

use super::{
    bytes::Bytes,
    file::{Beam, missing},
    opcodes as op,
    operand::{Operand, operand},
};
use crate::problem::{Problem, ProblemKind};

/// The functions of a module as its code chunk has them.
#[derive(Debug, Clone)]
pub struct Code<'a> {
    /// In the order of the file; funs and comprehensions are functions of their own here.
    pub functions: Vec<Function<'a>>,
}

/// A function and what it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its atom.
    pub name: &'a str,
    /// How many arguments it takes.
    pub arity: u32,
    /// The number of its first clause's place for [`Lines::at`](super::Lines::at); 0 is none.
    pub location: u32,
    /// Its calls in the order of the code.
    pub calls: Vec<Call>,
    /// The numbers of the literals in it, for [`Beam::literals`], each time that it stands there.
    pub literals: Vec<u64>,
    /// Whether it takes messages from its mailbox.
    pub receives: bool,
}

/// One call in a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What is called.
    pub to: Callee,
    /// Whether it is the last thing that the function does, so that its frame is gone by then.
    pub is_tail: bool,
    /// The number of its place for [`Lines::at`](super::Lines::at); 0 is none, as the compiler
    /// notes only the lines of what can show up in a stack trace, and no tail call does.
    pub location: u32,
}

/// What a call calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// A function of the same module, by its place in [`Code::functions`].
    Local(usize),
    /// An imported function, by its number for [`Beam::import`].
    External(usize),
    /// The same, as an instruction of its own that never leaves the caller (guard, arithmetic).
    Bif(usize),
    /// A fun is made of this function; who calls it, the bytecode does not say.
    MakesFun(usize),
    /// A fun is called that was made of this function.
    KnownFun(usize),
    /// A fun is called.
    Fun,
    /// A function is called whose name is a value.
    Apply,
    /// `!`, an instruction.
    Send,
}

/// Operands of the instruction that has the most.
const OPERANDS_MAX: usize = 8;

type Operands = [Operand; OPERANDS_MAX];

impl<'a> Code<'a> {
    /// Reads the code chunk of a file.
    ///
    /// # Errors
    /// When there is none, when it is not whole, or refers to what the file does not have.
    pub fn read(beam: &'a Beam<'_>) -> Result<Self, Problem> {
        let chunk = beam.chunk(*b"Code").ok_or_else(|| missing("code"))?;
        let mut bytes = Bytes::new("Code", chunk);
        let head_len = bytes.count(1)?;
        let mut head = Bytes::new("Code", bytes.take(head_len)?);
        if head.u32()? != 0 {
            return Err(head.problem(ProblemKind::Value, "another instruction set"));
        }
        let mut walk = Walk::new(beam);
        let mut literals = Vec::new();
        while !bytes.is_empty() {
            let number = bytes.u8()?;
            if number == op::INT_CODE_END {
                break;
            }
            let Some((_, n_operands)) = op::opcode(number) else {
                let text = format!("instruction {number}, which no OTP up to 29 has");
                return Err(bytes.problem(ProblemKind::Opcode, &text));
            };
            let mut operands: Operands = [Operand::Unsigned(0); OPERANDS_MAX];
            for slot in operands.iter_mut().take(usize::from(n_operands)) {
                *slot = operand(&mut bytes, &mut literals)?;
            }
            walk.step(&bytes, number, &operands)?;
            if let Some(function) = walk.functions.last_mut() {
                function.literals.append(&mut literals);
            }
        }
        walk.finish()
    }
}

/// What the walk over the instructions remembers.
struct Walk<'a> {
    beam: &'a Beam<'a>,
    functions: Vec<Function<'a>>,
    // The function that starts at a label; calls name labels, and some of functions to come.
    entries: HashMap<usize, usize>,
    // Whether the next label is where the last function starts.
    after_info: bool,
    // Of the instruction that follows.
    location: u32,
    // How far `call_fun`, `deallocate`, `return` has come, which is how a tail call of a fun is
    // written.
    fun_call: FunCall,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FunCall {
    None,
    Called,
    FrameGone,
}

impl<'a> Walk<'a> {
    fn new(beam: &'a Beam<'a>) -> Self {
        Self {
            beam,
            functions: Vec::new(),
            entries: HashMap::new(),
            after_info: false,
            location: 0,
            fun_call: FunCall::None,
        }
    }

    fn step(&mut self, at: &Bytes<'_>, number: u8, operands: &Operands) -> Result<(), Problem> {
        let after_info = std::mem::take(&mut self.after_info);
        let fun_call = std::mem::replace(&mut self.fun_call, FunCall::None);
        let location = std::mem::take(&mut self.location);
        let [first, ..] = *operands;
        match number {
            op::LABEL => {
                if after_info && let Operand::Unsigned(it) = first {
                    let entry = usize::try_from(it).map_err(|_| mistyped(at))?;
                    self.entries.insert(entry, self.functions.len().saturating_sub(1));
                }
            }
            op::LINE => self.location = index(at, first)?,
            op::FUNC_INFO => self.begin(at, location, operands)?,
            op::LOOP_REC => self.function(at)?.receives = true,
            op::DEALLOCATE if fun_call == FunCall::Called => self.fun_call = FunCall::FrameGone,
            op::RETURN if fun_call == FunCall::FrameGone => {
                if let Some(call) = self.function(at)?.calls.last_mut() {
                    call.is_tail = true;
                }
            }
            _ => {
                if let Some((to, is_tail)) = self.callee(at, number, operands)? {
                    self.function(at)?.calls.push(Call { to, is_tail, location });
                }
            }
        }
        Ok(())
    }

    /// What an instruction calls, and whether as the last thing of its function.
    fn callee(
        &mut self,
        at: &Bytes<'_>,
        number: u8,
        operands: &Operands,
    ) -> Result<Option<(Callee, bool)>, Problem> {
        let [first, second, third, ..] = *operands;
        let external = |it| self.import(at, it).map(Callee::External);
        let bif = |it| self.import(at, it).map(Callee::Bif);
        Ok(Some(match number {
            op::CALL => (Callee::Local(label(at, second)?), false),
            op::CALL_LAST | op::CALL_ONLY => (Callee::Local(label(at, second)?), true),
            op::CALL_EXT => (external(second)?, false),
            op::CALL_EXT_LAST | op::CALL_EXT_ONLY => (external(second)?, true),
            op::BIF0 => (bif(first)?, false),
            op::BIF1 | op::BIF2 | op::BIF3 => (bif(second)?, false),
            op::GC_BIF1 | op::GC_BIF2 | op::GC_BIF3 => (bif(third)?, false),
            op::MAKE_FUN2 | op::MAKE_FUN3 => (Callee::MakesFun(self.fun(at, first)?), false),
            op::APPLY => (Callee::Apply, false),
            op::APPLY_LAST => (Callee::Apply, true),
            op::SEND => (Callee::Send, false),
            op::CALL_FUN | op::CALL_FUN2 => {
                self.fun_call = FunCall::Called;
                // The compiler may know which fun it is, and then names it.
                let known = matches!((number, first), (op::CALL_FUN2, Operand::Unsigned(_)));
                let to = if known { Callee::KnownFun(self.fun(at, first)?) } else { Callee::Fun };
                (to, false)
            }
            _ => return Ok(None),
        }))
    }

    fn begin(&mut self, at: &Bytes<'_>, location: u32, operands: &Operands) -> Result<(), Problem> {
        let [_, Operand::Atom(name), Operand::Unsigned(arity), ..] = *operands else {
            return Err(at.problem(ProblemKind::Value, "a function without name and arity"));
        };
        let arity = u32::try_from(arity).unwrap_or(u32::MAX);
        let name = self.beam.atom(name)?;
        self.functions.push(Function {
            name,
            arity,
            location,
            calls: Vec::new(),
            literals: Vec::new(),
            receives: false,
        });
        self.after_info = true;
        Ok(())
    }

    fn function(&mut self, at: &Bytes<'_>) -> Result<&mut Function<'a>, Problem> {
        let outside = || at.problem(ProblemKind::Value, "an instruction outside of a function");
        self.functions.last_mut().ok_or_else(outside)
    }

    fn import(&self, at: &Bytes<'_>, operand: Operand) -> Result<usize, Problem> {
        let Operand::Unsigned(it) = operand else { return Err(mistyped(at)) };
        let number = usize::try_from(it).ok().filter(|it| *it < self.beam.n_imports());
        number
            .ok_or_else(|| at.problem(ProblemKind::Value, "a call of an import that is not there"))
    }

    /// The label at which the function of a fun starts.
    fn fun(&self, at: &Bytes<'_>, operand: Operand) -> Result<usize, Problem> {
        let Operand::Unsigned(it) = operand else { return Err(mistyped(at)) };
        let Some(fun) = self.beam.fun(it) else {
            return Err(at.problem(ProblemKind::Value, "a fun that is not in the table of funs"));
        };
        label(at, Operand::Label(fun.label.into()))
    }

    /// Turns the labels that calls name into functions.
    fn finish(self) -> Result<Code<'a>, Problem> {
        let Self { mut functions, entries, .. } = self;
        for call in functions.iter_mut().flat_map(|it| &mut it.calls) {
            let (Callee::Local(to) | Callee::MakesFun(to) | Callee::KnownFun(to)) = &mut call.to
            else {
                continue;
            };
            let Some(function) = entries.get(to) else {
                let text = format!("a call of label {to}, where no function starts");
                return Err(Problem::new(ProblemKind::Value, text));
            };
            *to = *function;
        }
        Ok(Code { functions })
    }
}

fn index(at: &Bytes<'_>, operand: Operand) -> Result<u32, Problem> {
    let Operand::Unsigned(it) = operand else { return Err(mistyped(at)) };
    u32::try_from(it).map_err(|_| mistyped(at))
}

fn label(at: &Bytes<'_>, operand: Operand) -> Result<usize, Problem> {
    let Operand::Label(it) = operand else { return Err(mistyped(at)) };
    usize::try_from(it).map_err(|_| mistyped(at))
}

#[cold]
fn mistyped(at: &Bytes<'_>) -> Problem {
    at.problem(ProblemKind::Value, "an operand of another type than its instruction takes")
}
