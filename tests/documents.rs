//! The pages: tests that they name exist, numbers that tests refer to are explained, links lead
//! somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use super::architecture::sources;

/// The cells of the rows of all tables of a page, by lines.
fn rows(page: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// All tests there are, as text.
fn test_code() -> String {
    let folders = [
        "tests",
        "store/src",
        "store/tests",
        "executor/tests",
        "executor/models/src",
        "fuzz/src/programs",
        "look/cli/tests",
        "values/tests",
    ];
    let files = folders.iter().flat_map(|folder| sources(folder));
    files.map(|file| fs::read_to_string(file).expect("the file can be read")).collect()
}

/// The pages promise by naming tests: a name that stands for nothing would be a false promise.
#[test]
fn every_test_that_the_documents_name_exists() {
    let code = test_code();
    for (page, at_least) in [("guarantees.md", 40), ("hazards.md", 70), ("proof.md", 30)] {
        let mut named = 0;
        for row in rows(page).iter().skip(1) {
            let cell = row.last().expect("a row has cells");
            // The other names are those of commands.
            let is_name = |name: &&str| {
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
            };
            let tests: Vec<_> = quoted(cell).filter(is_name).collect();
            let names_tests =
                !tests.is_empty() || cell == "none yet" || cell.contains("hazards.md");
            assert!(names_tests, "{page}: a row without a test: {row:?}");
            for test in tests {
                let function = format!("#[test]\nfn {test}()");
                assert!(code.contains(&function), "{page}: there is no test {test:?}");
                named += 1;
            }
        }
        assert!(named >= at_least, "{page}: the rows are found: {named} tests");
    }
}

/// What is said of the primitives of other crates was seen.
#[test]
fn every_primitive_has_its_tests() {
    let code = test_code();
    let primitives = rows("determinism.md").into_iter().filter(|row| row.len() == 4);
    let mut named = 0;
    for row in primitives.skip(1).filter(|row| row[0] != "---") {
        let tests: Vec<_> = quoted(&row[3]).collect();
        assert!(!tests.is_empty(), "a row without a test: {row:?}");
        for test in tests {
            assert!(code.contains(&format!("#[test]\nfn {test}()")), "there is no test {test:?}");
            named += 1;
        }
    }
    assert!(named >= 30, "the rows are found: {named} tests");
}

/// Comments refer to hazards and checks by number: H1, C1.
#[test]
fn every_number_that_the_tests_refer_to_is_explained() {
    let explained: Vec<_> = ["hazards.md", "proof.md"]
        .iter()
        .flat_map(|page| rows(page))
        .map(|mut row| row.swap_remove(0))
        .collect();
    let is_number = |word: &&str| {
        let digits = word.strip_prefix(['H', 'C']);
        digits
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut referred = 0;
    for file in ["tests", "executor/tests", "executor/models/src", "store/tests", "fuzz/src"]
        .into_iter()
        .flat_map(sources)
    {
        let text = fs::read_to_string(&file).expect("the file can be read");
        let comments = text.lines().filter(|line| line.trim_start().starts_with("//"));
        let words =
            comments.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        for number in words.filter(is_number) {
            let is_explained = explained.iter().any(|row| row == number);
            assert!(is_explained, "{}: {number} is on no page", file.display());
            referred += 1;
        }
    }
    assert!(referred >= 20, "the references are found: {referred}");
}

/// The pages of the repository.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_folder = |folder: &str| fs::read_dir(root.join(folder)).expect("the folder can be read");
    let entries = ["", "docs"].into_iter().flat_map(in_folder);
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Where the links to a heading lead: `## What is caught, and when` is `what-is-caught-and-when`.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.replace(' ', "-")
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("the page can be read");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => page.clone(),
                file => page.parent().expect("it is in a folder").join(file),
            };
            assert!(path.exists(), "{}: there is no {target}", page.display());
            if !anchor.is_empty() {
                let linked = fs::read_to_string(&path).expect("the page can be read");
                let is_there = anchors(&linked).iter().any(|there| there == anchor);
                assert!(is_there, "{}: there is no {target}", page.display());
            }
            links += 1;
        }
    }
    assert!(links > 40, "the links are found: {links}");
}

/// Who looks for a question in the list at the beginning finds each section, in its order.
#[test]
fn the_list_at_the_beginning_of_the_guide_has_all_its_sections() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md");
    let guide = fs::read_to_string(path).expect("the page is there");
    let listed: Vec<_> = guide
        .lines()
        .filter(|line| line.starts_with("- ["))
        .filter_map(|line| line.split_once("](#")?.1.strip_suffix(')'))
        .collect();
    let sections: Vec<_> = guide.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(listed, anchors(&sections.join("\n")));
}
