//! Rooms one can hold in the head: the length of functions and files, and the depth of nesting.

use std::collections::BTreeMap;
use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines of a function, from its signature to its closing brace.
const MAX_FUNCTION_LINES: usize = 70;
/// Lines of a source file before its `#[cfg(test)]` module.
const MAX_FILE_LINES: usize = 600;
/// Blocks within blocks: `if`, `match`, loops and closures with a block.
const MAX_NESTING: usize = 4;

/// What may be larger, and why.
pub(super) struct Exceptions(toml::Table);

impl Exceptions {
    pub(super) fn read() -> Self {
        let text = super::read("tests/tidy/exceptions.toml".as_ref());
        Self(text.parse().expect("exceptions.toml is TOML"))
    }

    /// Name → reason, of one kind.
    fn of(&self, kind: &str) -> BTreeMap<String, String> {
        let table = self.0.get(kind).and_then(toml::Value::as_table).cloned().unwrap_or_default();
        table
            .into_iter()
            .map(|(name, reason)| {
                let reason = reason.as_str().unwrap_or_default().to_owned();
                assert!(reason.len() > 10, "the exception for {name} gives no reason");
                (name, reason)
            })
            .collect()
    }

    /// Files outside `media/net` that may hold unsafe code, sorted.
    pub(super) fn unsafe_files(&self) -> Vec<String> {
        self.of("unsafe").into_keys().collect()
    }
}

/// One thing that was measured.
struct Measure {
    name: String,
    size: usize,
}

/// Fails for what is too large and not excepted, and for exceptions that are no longer needed.
fn judge(kind: &str, limit: usize, measures: Vec<Measure>) {
    let exceptions = Exceptions::read().of(kind);
    let large: BTreeMap<String, usize> =
        measures.into_iter().filter(|it| it.size > limit).map(|it| (it.name, it.size)).collect();
    let mut complaints = Vec::new();
    for (name, size) in &large {
        if !exceptions.contains_key(name) {
            complaints.push(format!("{name}: {size}, more than {limit}"));
        }
    }
    for name in exceptions.keys() {
        if !large.contains_key(name) {
            complaints.push(format!("{name}: the exception is no longer needed"));
        }
    }
    assert!(complaints.is_empty(), "{kind}:\n  {}", complaints.join("\n  "));
}

fn parse(file: &Path) -> syn::File {
    syn::parse_file(&super::read(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn functions_are_short() {
    let measures = super::files(".rs").iter().flat_map(|file| functions(file).lengths).collect();
    judge("functions", MAX_FUNCTION_LINES, measures);
}

#[test]
fn blocks_are_nested_shallowly() {
    let measures = super::files(".rs").iter().flat_map(|file| functions(file).depths).collect();
    judge("nesting", MAX_NESTING, measures);
}

#[test]
fn files_are_short() {
    let measures = super::files(".rs")
        .iter()
        .map(|file| {
            let text = super::read(file);
            let size = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            Measure { name: file.display().to_string(), size }
        })
        .collect();
    judge("files", MAX_FILE_LINES, measures);
}

fn functions(file: &Path) -> Functions {
    let mut functions = Functions { file: file.display().to_string(), ..Functions::default() };
    functions.visit_file(&parse(file));
    functions
}

#[derive(Default)]
struct Functions {
    file: String,
    depth: usize,
    deepest: usize,
    lengths: Vec<Measure>,
    depths: Vec<Measure>,
}

impl Functions {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let last = block.span().end().line;
        let name = format!("{}::{}", self.file, signature.ident);
        let outer = (std::mem::take(&mut self.depth), std::mem::take(&mut self.deepest));
        visit::visit_block(self, block);
        self.depths.push(Measure { name: name.clone(), size: self.deepest });
        self.lengths.push(Measure { name, size: last + 1 - first });
        (self.depth, self.deepest) = outer;
    }

    fn nested(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        visit(self);
        self.depth -= 1;
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
    }

    fn visit_expr_if(&mut self, expression: &'ast syn::ExprIf) {
        self.visit_expr(&expression.cond);
        self.nested(|this| this.visit_block(&expression.then_branch));
        match expression.else_branch.as_ref().map(|(_, branch)| branch.as_ref()) {
            // `else if` continues the chain on the same level.
            Some(syn::Expr::If(chained)) => self.visit_expr_if(chained),
            Some(branch) => self.nested(|this| this.visit_expr(branch)),
            None => {}
        }
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        self.nested(|this| visit::visit_expr_match(this, expression));
    }

    fn visit_expr_for_loop(&mut self, expression: &'ast syn::ExprForLoop) {
        self.nested(|this| visit::visit_expr_for_loop(this, expression));
    }

    fn visit_expr_while(&mut self, expression: &'ast syn::ExprWhile) {
        self.nested(|this| visit::visit_expr_while(this, expression));
    }

    fn visit_expr_loop(&mut self, expression: &'ast syn::ExprLoop) {
        self.nested(|this| visit::visit_expr_loop(this, expression));
    }

    fn visit_expr_closure(&mut self, expression: &'ast syn::ExprClosure) {
        match expression.body.as_ref() {
            syn::Expr::Block(_) => self.nested(|this| visit::visit_expr_closure(this, expression)),
            _ => visit::visit_expr_closure(self, expression),
        }
    }
}
