"""`python -m sms_stack`, which ./smsgw becomes."""

import sys

from sms_stack.commands import main

sys.exit(main())
