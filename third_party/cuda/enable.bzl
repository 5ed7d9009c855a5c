"""A flag that is true or false, for BUILD files to select on."""

def _flag_impl(_ctx):
    return []

bool_flag = rule(
    implementation = _flag_impl,
    build_setting = config.bool(flag = True),
)
