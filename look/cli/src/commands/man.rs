//! `dacapo man`.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::Args;
use crate::out::Out;
use crate::trouble::{Kind, Trouble};

/// The page for man, of the program or of a command.
pub(crate) fn man(of: Option<&str>, out: &mut Out) -> Result<u8, Trouble> {
    let mut program = Args::command();
    program.build();
    let page = match of {
        None => Man::new(program),
        Some(name) => {
            let command = program.find_subcommand(name).ok_or_else(|| {
                Trouble::new(Kind::Usage, format!("there is no command {name:?}: see dacapo help"))
            })?;
            Man::new(command.clone())
        }
    };
    let mut text = Vec::new();
    page.render(&mut text)?;
    out.raw(&text)?;
    Ok(0)
}
