namespace EventBus.ReadModel;

/// <summary>The place from which the shop answers queries.</summary>
internal enum Form
{
    /// <summary>From the table <c>orders</c>, with an index for the queries. There is no read model.</summary>
    WriteTables,

    /// <summary>From the read model in the file of the orders, as in the sample.</summary>
    ReadModel,

    /// <summary>From the read model in a file of its own, which is also the store of the bus.</summary>
    OwnFile,
}
