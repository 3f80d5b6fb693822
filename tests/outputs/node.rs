//! XML documents as trees, in which elements are found by their local names.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element of a document.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// With its prefix.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Node {
    pub(crate) fn read(path: &Path) -> Self {
        let mut reader = Reader::from_file(path).unwrap();
        let (mut open, mut buffer) = (vec![Self::default()], Vec::new());
        loop {
            match reader.read_event_into(&mut buffer).unwrap() {
                Event::Start(start) => open.push(Self::of(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::of(&start)),
                Event::Text(text) => open.last_mut().unwrap().text += &text,
                Event::End(_) => {
                    let node = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(node);
                }
                Event::Eof => return open.pop().unwrap(),
                _ => {}
            }
            buffer.clear();
        }
    }

    fn of(start: &quick_xml::events::BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
        });
        let (name, attributes) = (start.name().as_ref().to_owned(), attributes.collect());
        Self { name, attributes, ..Self::default() }
    }

    pub(crate) fn local(&self) -> &str {
        self.name.split_once(':').map_or(&*self.name, |(_, local)| local)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut of_name = self.attributes.iter().filter(|(key, _)| key == name);
        of_name.next().map(|(_, value)| &**value)
    }

    /// This node and all below it.
    pub(crate) fn all(&self) -> Vec<&Self> {
        let below = self.children.iter().flat_map(Self::all);
        std::iter::once(self).chain(below).collect()
    }

    /// The values at a path of local names, `@` before an attribute.
    pub(crate) fn at(&self, path: &str) -> Vec<String> {
        let (step, rest) = path.split_once('/').unwrap_or((path, ""));
        if let Some(name) = step.strip_prefix('@') {
            return self.attribute(name).map(str::to_owned).into_iter().collect();
        }
        let children = self.children.iter().filter(|child| child.local() == step);
        children
            .flat_map(
                |child| if rest.is_empty() { vec![child.text.clone()] } else { child.at(rest) },
            )
            .collect()
    }
}
