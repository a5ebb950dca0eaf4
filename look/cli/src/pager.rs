//! The program that shows long output page by page.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// A pager that runs.
pub(crate) struct Pager(Child);

/// What shows long output.
#[derive(PartialEq, Eq, Debug)]
enum Chosen {
    /// What somebody said, for a shell.
    Said(String),
    /// `less`, which stays on the screen, shows colours, and ends by itself after less than a page.
    Less,
    Nothing,
}

/// By `DACAPO_PAGER`, or else `PAGER`; an empty one, or `cat`, wants none.
fn choose(ours: Option<String>, everybodys: Option<String>) -> Chosen {
    match ours.or(everybodys) {
        None => Chosen::Less,
        Some(said) if ["", "cat"].contains(&said.trim()) => Chosen::Nothing,
        Some(said) => Chosen::Said(said),
    }
}

impl Pager {
    /// Starts it, if one is wanted and there.
    pub(crate) fn start() -> Option<Self> {
        let said = |name| std::env::var(name).ok();
        let mut command = match choose(said("DACAPO_PAGER"), said("PAGER")) {
            Chosen::Nothing => return None,
            Chosen::Less => Command::new("less"),
            Chosen::Said(said) => {
                let mut command = Command::new("sh");
                command.args(["-c", &said]);
                command
            }
        };
        if said("LESS").is_none() {
            command.env("LESS", "FRX");
        }
        command.stdin(Stdio::piped()).spawn().ok().map(Self)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.stdin.as_mut().map_or(Ok(bytes.len()), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        // It ends when nothing more comes, and whoever reads has seen enough.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_taken_and_ours_goes_first() {
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(choose(None, None), Chosen::Less);
        assert_eq!(choose(None, said("more")), Chosen::Said("more".into()));
        assert_eq!(choose(said("most -w"), said("more")), Chosen::Said("most -w".into()));
        assert_eq!(choose(said(""), said("more")), Chosen::Nothing);
        assert_eq!(choose(None, said("cat ")), Chosen::Nothing);
    }
}
