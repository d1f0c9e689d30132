//! A configuration taken apart: sections, their directives, and what these have in common with others.

/// A section and its directives, each with the comment that stands above it.
#[derive(Debug, Default)]
pub(in crate::core::haproxy_config) struct Section {
    /// Such as `frontend seal`.
    pub title: String,
    pub directives: Vec<Directive>,
}

#[derive(Debug, Clone)]
pub(in crate::core::haproxy_config) struct Directive {
    pub text: String,
    pub comment: String,
}

impl Section {
    /// Such as `frontend`.
    pub(super) fn kind(&self) -> &str {
        self.title.split(' ').next().unwrap_or_default()
    }

    /// Such as `seal`; empty for what has none.
    pub(super) fn name(&self) -> &str {
        self.title.split(' ').nth(1).filter(|name| *name != FROM).unwrap_or_default()
    }

    /// The `defaults` that it says it is made from.
    fn base(&self) -> Option<&str> {
        let mut words = self.title.split(' ').skip_while(|word| *word != FROM);
        words.nth(1)
    }
}

/// Before the name of the `defaults` in a title.
const FROM: &str = "from";

/// What is in force in a section: the directives of its `defaults`, which are those that it names or the last before it,
/// and then its own.
pub(super) fn in_force(sections: &[Section], place: usize) -> Vec<&Directive> {
    let Some((section, before)) = sections.get(..=place).and_then(<[Section]>::split_last) else { return Vec::new() };
    let is_defaults = |other: &Section| other.kind() == "defaults";
    let base = match section.base() {
        Some(name) => before.iter().rposition(|other| is_defaults(other) && other.name() == name),
        None if is_defaults(section) => None,
        None => before.iter().rposition(is_defaults),
    };
    let mut all = base.map_or_else(Vec::new, |base| in_force(sections, base));
    all.extend(&section.directives);
    all
}

/// Sections with their directives. Comments of several lines are one sentence; an empty line ends them.
pub(in crate::core::haproxy_config) fn read(text: &str) -> Vec<Section> {
    const TITLES: [&str; 14] = [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "userlist",
        "mailers",
        "ring",
        "cache",
        "program",
        "http-errors",
        "log-forward",
    ];
    let mut sections: Vec<Section> = Vec::new();
    let mut comment = String::new();
    let mut is_open = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix('#') {
            if !is_open {
                comment.clear();
            }
            let between = if comment.is_empty() { "" } else { " " };
            comment.push_str(between);
            comment.push_str(words.trim());
            is_open = true;
            continue;
        }
        is_open = false;
        if line.is_empty() {
            comment.clear();
        } else if TITLES.contains(&line.split_whitespace().next().unwrap_or_default()) {
            sections.push(Section { title: words(line), directives: Vec::new() });
            comment.clear();
        } else if let Some(section) = sections.last_mut() {
            section.directives.push(Directive { text: line.to_owned(), comment: comment.clone() });
        }
    }
    sections
}

pub(super) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two directives have in common that say the same: blanks, folders of maps, the words of an answer, and the sizes of
/// tables do not count.
pub(super) fn normal(text: &str) -> String {
    let text = words(text);
    let text = text.split("map_str(").enumerate().map(|(number, part)| match (number, part.find(".map")) {
        (1.., Some(end)) => {
            let (path, rest) = part.split_at(end);
            format!("map_str({}{rest}", path.rsplit('/').next().unwrap_or(path))
        }
        (1.., None) => format!("map_str({part}"),
        (0, _) => part.to_owned(),
    });
    let text: String = text.collect();
    let text = match (text.find("\"title\":\""), text.rfind("\"}'")) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", text.get(..begin).unwrap_or_default(), text.get(end..).unwrap_or_default())
        }
        _ => text,
    };
    let mut kept: Vec<&str> = Vec::new();
    let is_table = text.starts_with("stick-table ");
    for word in text.split(' ') {
        let is_size = is_table && matches!(kept.last(), Some(&("size" | "expire" | "len")));
        kept.push(if is_size { "…" } else { word });
    }
    kept.join(" ")
}
