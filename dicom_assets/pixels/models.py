"""The networks that find and read text: files within an installed wheel, run by onnxruntime on one thread."""

from importlib.util import find_spec

from ..errors import BadInput


def session(model: str):
    """An onnxruntime session for a model file of the wheel, on one thread.
    Raises BadInput PIXELS_EXTRA_MISSING."""
    package = find_spec("rapidocr_onnxruntime")
    if package is None or find_spec("onnxruntime") is None:
        raise BadInput("PIXELS_EXTRA_MISSING")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    path = f"{package.submodule_search_locations[0]}/models/{model}"
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception:
        raise BadInput("PIXELS_EXTRA_MISSING") from None
