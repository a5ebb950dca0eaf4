//! Names and values in addresses, with what an address cannot hold as `%` and two digits.

/// An address that is being written.
#[derive(Clone, Default, Debug)]
pub(crate) struct Address {
    text: String,
    has_query: bool,
}

impl Address {
    /// A path, its parts one by one.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push('/');
            escape(part, &mut text);
        }
        Self { text, has_query: false }
    }

    /// With a name and its value.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        escape(name, &mut self.text);
        self.text.push('=');
        escape(value, &mut self.text);
        self
    }

    /// The same, if there is one.
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        value.into_iter().fold(self, |address, value| address.with(name, value))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// An address that was read.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) path: Vec<String>,
    query: Vec<(String, String)>,
}

impl Target {
    /// `None`: it is no address.
    pub(crate) fn read(text: &str) -> Option<Self> {
        // curl sends the path alone, and a proxy all of it.
        let text = text
            .strip_prefix("http://")
            .map_or(text, |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let (path, query) = text.strip_prefix('/')?.split_once('?').unwrap_or((&text[1..], ""));
        let path = path.trim_end_matches('/').split('/').map(unescape).collect::<Option<_>>()?;
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(&name.replace('+', " "))?, unescape(&value.replace('+', " "))?))
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Some(Self { path, query: pairs.map(pair).collect::<Option<_>>()? })
    }

    /// The last value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(is, _)| is == name).map(|(_, value)| &**value)
    }

    /// A name that is none of these.
    pub(crate) fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.query.iter().map(|(name, _)| &**name).find(|name| !known.contains(name))
    }
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let (mut bytes, mut left) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&byte, rest)) = left.split_first() {
        left = rest;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, rest) = left.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        // A sign is none of the digits that stand here.
        let is_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(is_digits.then(|| u8::from_str_radix(digits, 16).ok())??);
        left = rest;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_back() {
        for text in ["order-7", "a/b?c=d&e%", "\u{1b}[2J \r\n+ä漢", ""] {
            let address = Address::of(&["api", text, "x"]).with("id", text).with(text, "1");
            let read = Target::read(address.text()).expect("it is one");
            assert_eq!(read.path, ["api", text, "x"]);
            assert_eq!(read.get("id"), Some(if text == "id" { "1" } else { text }));
            assert_eq!(read.get(text), Some("1"));
            assert!(address.text().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        let read = Target::read("http://d/api/runs/?grep=a+b&n=").expect("it is one");
        assert_eq!((read.path.len(), read.get("grep"), read.get("n")), (2, Some("a b"), Some("")));
        assert_eq!(read.unknown(&["n"]), Some("grep"));
        for wrong in ["", "api", "/a%", "/a%4", "/a%+1", "/%ff", "/a?b=%zz"] {
            assert_eq!(Target::read(wrong), None, "{wrong}");
        }
    }
}
