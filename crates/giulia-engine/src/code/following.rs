//! What follows from a graph: reach, paths, cycles, what is missing, tables and their races.

use giulia_code::graph::{EdgeFilter, Found, NodeId, Page, Reach, When};
use giulia_model::{
    CodeBehaviours, CodeCycles, CodeHardest, CodeImpact, CodePath, CodeSupervision, CodeTables,
    FunctionPattern,
};

use super::CodeBase;
use crate::{Error, ErrorKind};

impl CodeBase {
    /// Everything within so many references of what is meant.
    ///
    /// # Errors
    /// When nothing is meant.
    pub fn impact(
        &self,
        pattern: &FunctionPattern,
        reach: Reach,
        page: Page,
    ) -> Result<CodeImpact, Error> {
        let about = self.nodes(pattern)?;
        let mut answer = self.graph.impact(&about, reach, page);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// The shortest way from what is meant first to what is meant second.
    ///
    /// # Errors
    /// When one of them means nothing.
    pub fn path(
        &self,
        from: &FunctionPattern,
        to: &FunctionPattern,
        filter: EdgeFilter,
    ) -> Result<CodePath, Error> {
        let (from, to) = (self.nodes(from)?, self.nodes(to)?);
        let mut answer = self.graph.path(&from, &to, filter);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// Cycles between modules, or between functions by these kinds of references.
    pub fn cycles(&self, of_functions: Option<EdgeFilter>, when: When, page: Page) -> CodeCycles {
        let mut answer = self.graph.cycles(of_functions, when, page);
        answer.of = self.of.clone();
        answer
    }

    /// The functions that are hardest to follow.
    ///
    /// # Errors
    /// When no module is meant, or no source of any was read.
    pub fn hardest(
        &self,
        only: Option<&FunctionPattern>,
        page: Page,
    ) -> Result<CodeHardest, Error> {
        let only = only.map(|it| self.defined_modules(it)).transpose()?;
        let mut answer = self.graph.hardest(only.as_deref(), page);
        if answer.total == 0 {
            let text = format!(
                "none of the {} functions that are asked about has its source in the graph of {}, \
                 and only source tells how hard one is to follow; `giulia code index` of the \
                 folder with the sources reads them",
                answer.without, self.of.graph
            );
            return Err(Error::new(ErrorKind::NotIndexed, text));
        }
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// Behaviours and protocols: all, or those that are meant.
    ///
    /// # Errors
    /// When nothing is meant.
    pub fn behaviours(
        &self,
        only: Option<&FunctionPattern>,
        page: Page,
    ) -> Result<CodeBehaviours, Error> {
        let only = match only.map(|it| self.found(it)).transpose()? {
            Some(Found::Modules(modules)) => Some(modules),
            Some(Found::Functions(functions)) => {
                Some(functions.iter().filter_map(|it| self.graph.module_of(*it)).collect())
            }
            None => None,
        };
        let mut answer = self.graph.behaviours(only.as_deref(), page);
        if answer.total == 0 && only.is_some() {
            let text = format!(
                "no module in the code of {} has that as a behaviour or protocol; giulia code \
                 behaviours lists those that there are",
                self.of.graph
            );
            return Err(Error::new(ErrorKind::NotIndexed, text));
        }
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// The supervision tree as it is written.
    pub fn supervision(&self) -> CodeSupervision {
        let mut answer = self.graph.supervision();
        answer.of = self.of.clone();
        answer
    }

    /// Tables and processes with who touches them: all, or those that some modules touch.
    ///
    /// # Errors
    /// When no module is meant.
    pub fn tables(&self, only: Option<&FunctionPattern>, page: Page) -> Result<CodeTables, Error> {
        let only = only.map(|it| self.defined_modules(it)).transpose()?;
        let mut answer = self.graph.tables(only.as_deref(), page);
        answer.of = self.of.clone();
        Ok(answer)
    }

    /// The functions that are meant; of modules, all of them and the module itself.
    fn nodes(&self, pattern: &FunctionPattern) -> Result<Vec<NodeId>, Error> {
        Ok(match self.found(pattern)? {
            Found::Functions(functions) => functions,
            Found::Modules(modules) => {
                modules.into_iter().flat_map(|it| self.graph.rows_of(it)).collect()
            }
        })
    }
}
