"""Object stores: providers of :class:`twisted_s3.interfaces.IObjectStore`."""
