#include "data/sentencepiece.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/status.h"

extern char** environ;

namespace starling {
namespace {

// What the program complained about: behind "[the check that failed] " where SentencePiece names
// one, else its last line but the farewell.
std::string Complaint(absl::string_view printed) {
  std::string complaint = "it printed nothing";
  for (absl::string_view line : absl::StrSplit(printed, '\n')) {
    if (line.empty() || absl::StartsWith(line, "Program terminated")) continue;
    const size_t check = line.rfind(")] ");
    complaint = std::string(check == absl::string_view::npos ? line : line.substr(check + 3));
  }
  return complaint;
}

// Runs a program of the PATH to its end, with nothing on its standard input. Returns what it
// printed on standard output; its errors go into the status.
absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& arguments) {
  const std::string& program = arguments[0];
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (pipe2(err, O_CLOEXEC) != 0) {
    const int error = errno;
    close(out[0]), close(out[1]);
    return absl::ErrnoToStatus(error, "pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int spawned =
      posix_spawnp(&pid, program.c_str(), &actions, /*attributes=*/nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]), close(err[1]);

  std::string printed[2];
  pollfd streams[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  int open = 2;
  while (spawned == 0 && open > 0) {
    if (poll(streams, 2, /*timeout=*/-1) < 0) continue;  // interrupted
    for (int i = 0; i < 2; ++i) {
      if (streams[i].fd < 0 || streams[i].revents == 0) continue;
      char buffer[1 << 16];
      const ssize_t count = read(streams[i].fd, buffer, sizeof buffer);
      if (count > 0) {
        printed[i].append(buffer, count);
      } else if (count == 0 || errno != EINTR) {
        streams[i].fd = -1;  // poll ignores it
        --open;
      }
    }
  }
  close(out[0]), close(err[0]);
  if (spawned == ENOENT) {
    return absl::NotFoundError(absl::StrCat("the program ", program,
                                            " was not found; `apt-get install sentencepiece` "
                                            "installs it"));
  }
  if (spawned != 0) return absl::ErrnoToStatus(spawned, absl::StrCat("cannot start ", program));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(printed[0]);
  return absl::InvalidArgumentError(absl::StrCat(program, " failed: ", Complaint(printed[1])));
}

}  // namespace

absl::Status TrainSentencePiece(const std::vector<std::string>& files, int64_t vocabulary_size,
                                const std::vector<std::string>& options,
                                const std::string& prefix) {
  std::vector<std::string> arguments = {
      "spm_train",
      absl::StrCat("--input=", absl::StrJoin(files, ",")),
      absl::StrCat("--model_prefix=", prefix),
      absl::StrCat("--vocab_size=", vocabulary_size),
      absl::StrCat("--pad_id=", kPadPiece),
      absl::StrCat("--unk_id=", kUnknownPiece),
      absl::StrCat("--bos_id=", kBeginPiece),
      absl::StrCat("--eos_id=", kEndPiece),
      "--character_coverage=1",
      "--shuffle_input_sentence=false",
      "--num_threads=1",
      "--minloglevel=1",
  };
  arguments.insert(arguments.end(), options.begin(), options.end());
  return RunProgram(arguments).status();
}

absl::StatusOr<std::vector<int32_t>> EncodeWithSentencePiece(const std::string& model,
                                                             const std::string& text) {
  ASSIGN_OR_RETURN(const std::string lines,
                   RunProgram({"spm_encode", absl::StrCat("--model=", model), "--output_format=id",
                               "--extra_options=eos", absl::StrCat("--input=", text)}));
  std::vector<int32_t> ids;
  for (absl::string_view word : absl::StrSplit(lines, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    int32_t id;
    if (!absl::SimpleAtoi(word, &id)) {
      return absl::InternalError(
          absl::StrCat("spm_encode printed \"", word, "\" where a number was expected"));
    }
    ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<std::vector<std::string>> PiecesOf(const std::string& model) {
  ASSIGN_OR_RETURN(const std::string lines,
                   RunProgram({"spm_export_vocab", absl::StrCat("--model=", model)}));
  std::vector<std::string> pieces;
  for (absl::string_view line : absl::StrSplit(lines, '\n')) {
    // A piece and its score.
    if (!line.empty()) pieces.emplace_back(line.substr(0, line.rfind('\t')));
  }
  return pieces;
}

std::string TextOf(const std::vector<std::string>& pieces, absl::Span<const int64_t> ids) {
  constexpr absl::string_view kBlank = "\u2581";
  std::string text;
  for (int64_t id : ids) {
    if (id == kPadPiece || id == kBeginPiece || id == kEndPiece) continue;
    if (id == kUnknownPiece) {
      text += " \u2047 ";
      continue;
    }
    absl::string_view piece = pieces[id];
    // The blank that SentencePiece puts before every text is none of it.
    if (text.empty()) absl::ConsumePrefix(&piece, kBlank);
    text += absl::StrReplaceAll(piece, {{kBlank, " "}});
  }
  return text;
}

}  // namespace starling
