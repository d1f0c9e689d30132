//! The rules that keep the code findable: which module may use which, where SQL lives, and how large things may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

/// What each module may import of the crate, besides itself. A new module needs a row.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("core", &[]),
    ("clock", &["core"]),
    ("random", &[]),
    ("chain", &["core"]),
    ("seal", &["core"]),
    ("config", &["core"]),
    ("telemetry", &["config"]),
    ("ledger", &["core"]),
    ("traffic", &["core"]),
    ("admin", &["app", "telemetry", "traffic"]),
    ("app", &["chain", "clock", "core", "ledger", "random", "seal", "traffic"]),
    ("intake", &["clock", "core", "telemetry", "traffic"]),
    ("gateway", &["clock", "core", "seal", "telemetry"]),
    ("jobs", &["app", "telemetry"]),
    ("http", &["app", "core", "intake", "random", "telemetry"]),
    (
        "daemon",
        &[
            "admin",
            "app",
            "chain",
            "clock",
            "config",
            "core",
            "gateway",
            "http",
            "intake",
            "jobs",
            "ledger",
            "random",
            "seal",
            "telemetry",
            "traffic",
        ],
    ),
    (
        "bench",
        &["app", "clock", "core", "demo", "gateway", "intake", "ledger", "random", "seal", "telemetry", "traffic"],
    ),
    ("demo", &["app", "chain", "clock", "config", "core", "daemon", "gateway", "ledger", "random", "telemetry"]),
    (
        "cli",
        &[
            "admin",
            "app",
            "bench",
            "clock",
            "config",
            "core",
            "daemon",
            "demo",
            "gateway",
            "http",
            "intake",
            "ledger",
            "random",
            "seal",
            "telemetry",
            "traffic",
        ],
    ),
    ("lib", &[]),
];

/// Modules that hold SQL.
const STORES: [&str; 2] = ["ledger", "traffic"];

struct Source {
    path: PathBuf,
    module: String,
    text: String,
    syntax: syn::File,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 40, "only {} sources were found below {}", found.len(), root.display());
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let syntax = syn::parse_file(&text).unwrap();
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let module = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
            found.push(Source { path: path.clone(), module, text, syntax });
        }
    }
}

/// Modules named after `crate::`, functions with their lines, and string literals. Tests are passed over.
#[derive(Default)]
struct Findings {
    imports: Vec<String>,
    functions: Vec<(String, usize)>,
    strings: Vec<String>,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl Findings {
    fn of(source: &Source) -> Self {
        let mut findings = Self::default();
        if !source.path.ends_with("tests.rs") && !source.path.components().any(|part| part.as_os_str() == "tests") {
            findings.visit_file(&source.syntax);
        }
        findings
    }

    fn use_tree(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.imports.push(path.ident.to_string()),
            syn::UseTree::Name(name) => self.imports.push(name.ident.to_string()),
            syn::UseTree::Rename(name) => self.imports.push(name.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree)),
            syn::UseTree::Glob(_) => self.imports.push("*".to_owned()),
        }
    }

    fn function(&mut self, name: &syn::Ident, span: proc_macro2::Span) {
        self.functions.push((name.to_string(), span.end().line - span.start().line + 1));
    }

    fn strings_of(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.strings_of(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.strings.push(text.value());
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Findings {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let syn::UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.use_tree(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.first().is_some_and(|first| first.ident == "crate") {
            self.imports.extend(path.segments.iter().nth(1).map(|segment| segment.ident.to_string()));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig.ident, function.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig.ident, function.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.strings.push(text.value());
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.strings_of(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

#[test]
fn modules_import_only_in_the_allowed_directions() {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module != "main") {
        let Some(may_use) = allowed.get(source.module.as_str()) else {
            wrong.push(format!("{} has no row in ALLOWED", source.module));
            continue;
        };
        for import in Findings::of(source).imports {
            if import != source.module && !may_use.contains(&import.as_str()) {
                wrong.push(format!("{} uses {import}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_and_functions_are_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > MAX_FILE_LINES {
            wrong.push(format!("{} has {lines} lines", source.path.display()));
        }
        for (name, lines) in Findings::of(&source).functions {
            if lines > MAX_FUNCTION_LINES {
                wrong.push(format!("{} in {} has {lines} lines", name, source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a text begins like a statement of SQL.
fn is_sql(text: &str) -> bool {
    let start: String = text.trim_start().chars().take_while(char::is_ascii_uppercase).collect();
    matches!(
        start.as_str(),
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "CREATE" | "DROP" | "ALTER" | "WITH" | "PRAGMA"
    )
}

#[test]
fn sql_lives_with_its_store() {
    let mut statements = 0;
    let mut wrong = Vec::new();
    for source in sources() {
        for text in Findings::of(&source).strings.iter().filter(|text| is_sql(text)) {
            statements += 1;
            if !STORES.contains(&source.module.as_str()) {
                wrong.push(format!("{}: {text}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(statements > 20, "only {statements} statements were recognised");
}

/// The SQL texts of one store, for other tests.
pub fn statements_of(module: &str) -> Vec<String> {
    let sources = sources().into_iter().filter(|source| source.module == module);
    sources.flat_map(|source| Findings::of(&source).strings).collect()
}
