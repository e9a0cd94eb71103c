namespace EventBus;

/// <summary>The treatment of the bytes of a connection.</summary>
internal enum TcpProxyMode
{
    /// <summary>Bytes are forwarded.</summary>
    Pass,

    /// <summary>Bytes are read and discarded. A connection that has lost bytes stays silent.</summary>
    Discard,

    /// <summary>
    /// Bytes are not read, as with a peer that has stopped reading or a network that will recover. None are lost.
    /// </summary>
    Stall,
}
