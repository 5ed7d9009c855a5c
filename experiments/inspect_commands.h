// The verbs that look at the binary and the machine: `list`, `describe` and `doctor`.
#ifndef EXPERIMENTS_INSPECT_COMMANDS_H_
#define EXPERIMENTS_INSPECT_COMMANDS_H_

#include "experiments/flags.h"

namespace starling {

// list [KIND]: every linked plug-in by kind, one line each.
const Verb& ListVerb();
int ListCommand(const Arguments& arguments);

// describe KIND NAME: facts and config fields of a plug-in. describe topology NAME also computes
// and draws its rounds for --workers and --workers_per_node, or prints them with --json.
// describe experiment: the fields that every config has.
const Verb& DescribeVerb();
int DescribeCommand(const Arguments& arguments);

// doctor: what is compiled in, what was found on this machine, and why not the rest.
const Verb& DoctorVerb();
int DoctorCommand(const Arguments& arguments);

}  // namespace starling

#endif  // EXPERIMENTS_INSPECT_COMMANDS_H_
