//! What a graph is asked, by what somebody writes; nothing that is not indexed is an empty answer.

use giulia_code::graph::{Direction, EdgeFilter, Found, FunctionPlace, NodeId, NotFound, Page};
use giulia_model::{
    CodeCalls, CodeExport, CodeFunctions, CodeModules, CodeShow, FunctionPattern, Mfa,
};

use super::CodeBase;
use crate::{Error, ErrorKind};

/// References that `show` lists in each direction.
const SHOWN_MAX: usize = 20;

impl CodeBase {
    /// The folder of the project, or the name of the node.
    pub(crate) fn name(&self) -> &str {
        &self.of.graph
    }

    /// Where a function begins that is defined here.
    pub(crate) fn place_of(&self, mfa: &Mfa) -> Option<FunctionPlace> {
        self.graph.place_of(mfa)
    }

    /// Modules: all, or those that a pattern means.
    ///
    /// # Errors
    /// When it means none.
    pub fn modules(
        &self,
        only: Option<&FunctionPattern>,
        page: Page,
    ) -> Result<CodeModules, Error> {
        let only = only.map(|it| self.defined_modules(it)).transpose()?;
        let mut answer = self.graph.modules(only.as_deref(), page);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// The functions that a pattern means.
    ///
    /// # Errors
    /// When it means none.
    pub fn functions(&self, pattern: &FunctionPattern, page: Page) -> Result<CodeFunctions, Error> {
        let nodes = match self.found(pattern)? {
            Found::Modules(_) => self.defined_modules(pattern)?,
            Found::Functions(functions) => self.defined(pattern, functions)?,
        };
        let mut answer = self.graph.functions(&nodes, page);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// Everything about a module, or about functions of one.
    ///
    /// # Errors
    /// When nothing is meant, nothing that is defined here, or several modules.
    pub fn show(&self, pattern: &FunctionPattern) -> Result<CodeShow, Error> {
        let mut answer = match self.found(pattern)? {
            Found::Modules(_) => {
                let modules = self.defined_modules(pattern)?;
                let [one] = modules.as_slice() else { return Err(self.several(&modules)) };
                self.graph.show_module(*one, SHOWN_MAX)
            }
            Found::Functions(functions) => {
                let functions = self.defined(pattern, functions)?;
                let mut modules: Vec<NodeId> =
                    functions.iter().filter_map(|it| self.graph.module_of(*it)).collect();
                modules.sort();
                modules.dedup();
                if modules.len() > 1 {
                    return Err(self.several(&modules));
                }
                self.graph.show_functions(&functions, SHOWN_MAX)
            }
        };
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// Where the functions that are meant are referred to, or refer to others.
    ///
    /// # Errors
    /// When none are meant; for what they refer to, when they are not defined here.
    pub fn calls(
        &self,
        pattern: &FunctionPattern,
        direction: Direction,
        filter: EdgeFilter,
        page: Page,
    ) -> Result<CodeCalls, Error> {
        let mut about = match self.found(pattern)? {
            Found::Modules(modules) => {
                let all = modules.iter().flat_map(|it| self.graph.rows_of(*it));
                all.collect()
            }
            Found::Functions(functions) => functions,
        };
        if direction == Direction::Out {
            about = self.defined(pattern, about)?;
        }
        let mut answer = self.graph.calls(&about, direction, filter, page);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// The edges out of the modules that are meant, or all.
    ///
    /// # Errors
    /// When none are meant.
    pub fn export(
        &self,
        only: Option<&FunctionPattern>,
        filter: EdgeFilter,
    ) -> Result<CodeExport, Error> {
        let only = only.map(|it| self.defined_modules(it)).transpose()?;
        let mut answer = self.graph.export(only.as_deref(), filter);
        answer.of = self.of.clone();
        Ok(answer)
    }

    pub(super) fn found(&self, pattern: &FunctionPattern) -> Result<Found, Error> {
        self.graph.find(pattern).map_err(|it| self.missing(&it))
    }

    /// The modules that are meant, if they are defined here.
    pub(super) fn defined_modules(&self, pattern: &FunctionPattern) -> Result<Vec<NodeId>, Error> {
        let modules = match self.found(pattern)? {
            Found::Modules(modules) => modules,
            Found::Functions(functions) => {
                functions.iter().filter_map(|it| self.graph.module_of(*it)).collect()
            }
        };
        self.defined(pattern, modules)
    }

    fn defined(
        &self,
        pattern: &FunctionPattern,
        mut nodes: Vec<NodeId>,
    ) -> Result<Vec<NodeId>, Error> {
        nodes.retain(|it| self.graph.is_defined(*it));
        nodes.dedup();
        if !nodes.is_empty() {
            return Ok(nodes);
        }
        let text = format!(
            "{pattern} is referred to in the code of {} and not part of it; `giulia code callers` \
             says by whom, and `giulia code index` of a folder or node that has it reads it",
            self.of.graph
        );
        Err(Error::new(ErrorKind::NotIndexed, text))
    }

    pub(super) fn missing(&self, it: &NotFound) -> Error {
        let near = if it.near.is_empty() {
            "; giulia code modules lists what is, and giulia code index reads what changed"
                .to_owned()
        } else {
            format!("; did you mean {}?", it.near.join(", "))
        };
        let text = format!("{} in the code of {}{near}", it.text, self.of.graph);
        Error::new(ErrorKind::NotIndexed, text)
    }

    fn several(&self, modules: &[NodeId]) -> Error {
        let named: Vec<String> = modules.iter().take(3).map(|it| self.graph.written(*it)).collect();
        let text = format!(
            "{} modules are meant, among them {}; show takes one, giulia code modules lists many",
            modules.len(),
            named.join(", ")
        );
        Error::new(ErrorKind::NotIndexed, text)
    }
}
