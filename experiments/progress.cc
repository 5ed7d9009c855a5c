#include "experiments/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/clock.h"
#include "experiments/monitor.h"

namespace starling {

std::string StepText(const ProgressLine& line, bool with_bar) {
  std::string text = absl::StrFormat("%d/%d ", line.step, line.steps);
  if (line.loss) absl::StrAppendFormat(&text, "loss %.4f lr %.2g ", *line.loss, line.lr);
  absl::StrAppendFormat(&text, "%.0f/s %.1f ms/step wait %.1f", line.samples_per_second,
                        line.ms_per_step, line.wait_ms_per_step);
  if (line.loss) absl::StrAppendFormat(&text, " consensus %.2g", line.consensus_distance);
  // A live line that is too long for the terminal could not be overwritten.
  constexpr size_t kColumns = 79;
  if (text.size() > kColumns) text.resize(kColumns);
  const int width = std::min(8, static_cast<int>(kColumns - text.size()) - 1);
  if (!with_bar || width < 4) return text;
  const int filled = static_cast<int>(width * line.step / std::max<int64_t>(line.steps, 1));
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
  return absl::StrCat(bar, " ", text);
}

std::string EvaluationText(int64_t step, Split split, const Evaluation& evaluation,
                           double consensus_distance) {
  const bool classes = evaluation.accuracy.has_value();
  std::string text = absl::StrFormat("%s at step %d: averaged model ", SplitName(split), step);
  if (classes) {
    absl::StrAppendFormat(&text, "%.4f (loss %.5g)", *evaluation.accuracy, evaluation.loss);
  } else if (evaluation.perplexity) {
    absl::StrAppendFormat(&text, "loss %.5g (ppl %.4g)", evaluation.loss, *evaluation.perplexity);
  } else {
    absl::StrAppendFormat(&text, "loss %.6g", evaluation.loss);
  }
  if (evaluation.bleu) absl::StrAppendFormat(&text, ", BLEU %.2f", *evaluation.bleu);
  absl::StrAppend(&text, ",\n  ");
  const auto& spread = classes ? evaluation.worker_accuracy : evaluation.worker_loss;
  if (!spread.empty()) {
    const auto [low, high] = std::minmax_element(spread.begin(), spread.end());
    absl::StrAppend(&text, "over the workers ",
                    classes ? absl::StrFormat("%.4f-%.4f", *low, *high)
                            : absl::StrFormat("%.6g-%.6g", *low, *high),
                    ", ");
  }
  absl::StrAppendFormat(&text, "consensus distance %.3g", consensus_distance);
  return text;
}

void Progress::Step(const ProgressLine& line) {
  const double now = WallClock().NowSeconds();
  const bool last = line.step == line.steps;
  if (!last && now - last_shown_seconds_ < (live_ ? 0.1 : 2.0)) return;
  last_shown_seconds_ = now;
  if (live_) {
    std::fprintf(out_, "\r\033[K%s", StepText(line, /*with_bar=*/true).c_str());
    line_open_ = true;
  } else {
    std::fprintf(out_, "%s\n", StepText(line, /*with_bar=*/false).c_str());
  }
  std::fflush(out_);
}

void Progress::Evaluated(int64_t step, Split split, const Evaluation& evaluation,
                         double consensus_distance) {
  Finish();
  std::fprintf(out_, "%s\n", EvaluationText(step, split, evaluation, consensus_distance).c_str());
  std::fflush(out_);
}

void Progress::Finish() {
  if (line_open_) std::fprintf(out_, "\n");
  line_open_ = false;
  std::fflush(out_);
}

}  // namespace starling
