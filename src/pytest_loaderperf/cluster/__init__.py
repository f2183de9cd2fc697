"""One run on several machines: the project is sent there, and each measures a shard of it.

``bundles`` has the project as bytes, ``node`` measures a shard where they arrive, and ``dispatch``
decides which machine measures which shard, also after one was lost. What starts the machines'
work is an entry point, such as ``ray``.
"""
