package sqlstore_test

import "time"

// patience is the time limit of calls on a machine that is busy.
const patience = 30 * time.Second
