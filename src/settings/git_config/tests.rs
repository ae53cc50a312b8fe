use std::collections::HashMap;
use std::process::Command;

use super::*;

/// A home and repositories of its own; whatever waxseal reads here is compared with what git reads.
struct Scratch {
    folder: tempfile::TempDir,
    environment: HashMap<&'static str, OsString>,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let environment = HashMap::from([
            ("HOME", home.into_os_string()),
            ("XDG_CONFIG_HOME", folder.path().join("xdg").into_os_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ]);
        let scratch = Self { folder, environment };
        scratch.git("", &["init", "--quiet", "--initial-branch=main", "repository"]);
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, file: &str, text: &str) {
        use std::io::Write as _;
        std::fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.path(file));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.path(folder)).env_clear();
        command.env("PATH", crate::settings::tests::path_of_programs()).envs(&self.environment).output().unwrap()
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn read(&self, folder: &str) -> (File, FoundRepository) {
        read(&self.path(folder), &|name| self.environment.get(name).cloned()).unwrap()
    }

    /// Asserts that waxseal reads what git reads.
    fn agrees(&self, folder: &str) -> Vec<String> {
        let values = self.read(folder).0.strings("waxseal.allow").unwrap_or_default();
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        let gits = self.run(folder, &["config", "--get-all", "waxseal.allow"]);
        let gits = String::from_utf8(gits.stdout).unwrap();
        assert_eq!(values, gits.lines().collect::<Vec<_>>(), "{folder}");
        values
    }
}

#[test]
fn every_scope_in_gits_order() {
    let mut scratch = Scratch::new();
    scratch.append("xdg/git/config", "[waxseal]\nallow = xdg\n");
    scratch.append("home/.gitconfig", "[waxseal]\nallow = user # comment\n\tallow = \"quoted # ; \\\"text\\\"\"\n");
    scratch.append("repository/.git/config", "[WaxSeal] ALLOW = local\n");
    assert_eq!(scratch.agrees("repository").len(), 4);
    assert_eq!(scratch.agrees("home").len(), 3);
    std::fs::create_dir_all(scratch.path("repository/below/deep")).unwrap();
    assert_eq!(scratch.agrees("repository/below/deep").len(), 4);

    scratch.environment.insert("GIT_CONFIG_PARAMETERS", r"'waxseal.allow=old' 'waxseal.allow'='it'\''s new'".into());
    assert_eq!(scratch.agrees("repository").last().unwrap(), "it's new");
    assert_eq!(scratch.agrees("home").len(), 5);
    scratch.environment.insert("GIT_CONFIG_GLOBAL", scratch.path("other").into_os_string());
    scratch.append("other", "[waxseal]\nallow = other\n");
    assert_eq!(scratch.agrees("repository"), ["other", "local", "old", "it's new"]);
}

#[test]
fn what_git_hands_to_its_children_is_read() {
    let mut scratch = Scratch::new();
    let value = "it's ! a \"value\" = \\ \u{e9}\nof two lines";
    let set = format!("waxseal.allow={value}");
    let printed = scratch.git(
        "repository",
        &[
            "-c",
            &set,
            "-c",
            "waxseal.acceptPublic",
            "-c",
            "alias.parameters=!printf %s \"$GIT_CONFIG_PARAMETERS\"",
            "parameters",
        ],
    );
    scratch.environment.insert("GIT_CONFIG_PARAMETERS", printed.into());
    let (config, _) = scratch.read("home");
    assert_eq!(config.string("waxseal.allow").unwrap(), value);
    assert_eq!(config.boolean("waxseal.acceptPublic").unwrap(), Some(true));
    scratch.environment.insert("GIT_CONFIG_PARAMETERS", "nonsense".into());
    let read = read(&scratch.path("home"), &|name| scratch.environment.get(name).cloned());
    assert!(matches!(read, Err(SettingsError::GitParameters(_))));
}

#[test]
fn includes_are_followed_where_their_condition_holds() {
    let mut scratch = Scratch::new();
    scratch.append(
        "home/.gitconfig",
        "[include]\npath = included\n[includeIf \"gitdir:**/repository/.git\"]\npath = ~/here\n\
         [includeIf \"gitdir:**/elsewhere/.git\"]\npath = ~/elsewhere\n[includeIf \"onbranch:ma*\"]\npath = branch\n\
         [includeIf \"onbranch:other\"]\npath = elsewhere\n[waxseal]\nallow = user\n",
    );
    for name in ["included", "here", "elsewhere", "branch"] {
        scratch.append(&format!("home/{name}"), &format!("[waxseal]\nallow = {name}\n"));
    }
    assert_eq!(scratch.agrees("repository"), ["included", "here", "branch", "user"]);
    assert_eq!(scratch.agrees("home"), ["included", "user"]);
    let command = format!("'include.path'='{}'", scratch.path("home/elsewhere").display());
    scratch.environment.insert("GIT_CONFIG_PARAMETERS", command.into());
    assert_eq!(scratch.agrees("home"), ["included", "user", "elsewhere"]);
}

#[test]
fn linked_worktrees_and_named_repositories() {
    let mut scratch = Scratch::new();
    let commit = ["-c", "user.name=A", "-c", "user.email=a@x", "commit", "--quiet", "--allow-empty", "-m", "one"];
    scratch.git("repository", &commit);
    scratch.git("repository", &["worktree", "add", "--quiet", "../linked"]);
    scratch.append("repository/.git/config", "[waxseal]\nallow = local\n");
    scratch.append("repository/.git/worktrees/linked/config.worktree", "[waxseal]\nallow = worktree\n");
    assert_eq!(scratch.agrees("linked"), ["local"]);
    scratch.git("repository", &["config", "extensions.worktreeConfig", "true"]);
    assert_eq!(scratch.agrees("linked"), ["local", "worktree"]);
    let private = FoundRepository::At(scratch.path("repository/.git/worktrees/linked"));
    assert_eq!(scratch.read("linked").1, private);

    scratch.environment.insert("GIT_DIR", scratch.path("repository/.git").into_os_string());
    assert_eq!(scratch.agrees("home"), ["local"]);
    scratch.environment.insert("GIT_DIR", ".git".into());
    assert_eq!(scratch.agrees("repository"), ["local"]);
}

#[test]
fn a_bare_repository_may_be_refused() {
    let scratch = Scratch::new();
    scratch.git("", &["init", "--quiet", "--bare", "bare"]);
    scratch.append("bare/config", "[waxseal]\nallow = bare\n");
    assert_eq!(scratch.agrees("bare"), ["bare"]);
    scratch.append("home/.gitconfig", "[safe]\nbareRepository = explicit\n");
    let (config, found) = scratch.read("bare");
    assert_eq!(found, FoundRepository::Refused { path: scratch.path("bare"), refusal: Refusal::Bare });
    assert!(config.string("waxseal.allow").is_none());
    assert!(matches!(scratch.read("repository").1, FoundRepository::At(_)));
}

#[test]
#[cfg(unix)]
fn somebody_elses_repository_is_not_read() {
    let mut scratch = Scratch::new();
    scratch.append("repository/.git/config", "[waxseal]\nallow = local\n[safe]\ndirectory = *\n");
    let repository = scratch.path("repository");
    if std::os::unix::fs::chown(&repository, Some(12345), None).is_err() {
        println!("skipped: only root can give a folder away");
        return;
    }
    let refused = FoundRepository::Refused { path: repository.clone(), refusal: Refusal::Owner };
    assert_eq!(scratch.read("repository").1, refused);
    assert_eq!(scratch.agrees("repository"), Vec::<String>::new());
    scratch.append("home/.gitconfig", &format!("[safe]\ndirectory = {}\n", repository.display()));
    assert_eq!(scratch.agrees("repository"), ["local"]);
    scratch.append("home/.gitconfig", "directory =\n");
    assert_eq!(scratch.read("repository").1, refused);
    scratch.environment.insert("GIT_CONFIG_PARAMETERS", "'safe.directory'='*'".into());
    assert_eq!(scratch.agrees("repository"), ["local"]);
    // Only git from 2.46 on reads this form.
    let below = format!("'safe.directory'='{}/*'", scratch.folder.path().display());
    scratch.environment.insert("GIT_CONFIG_PARAMETERS", below.into());
    assert_eq!(scratch.read("repository").1, FoundRepository::At(repository.join(".git")));
}
