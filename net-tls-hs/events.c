// SPDX-License-Identifier: GPL-2.0
#include "engine.h"

#define CREATE_TRACE_POINTS
#include "events.h"
