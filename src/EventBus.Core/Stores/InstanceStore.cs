namespace EventBus.Stores;

/// <summary>
/// Stores which instances of an application use stores that only processes of one machine, or only one process, can
/// reach.
/// </summary>
public abstract class InstanceStore
{
    /// <summary>Records that an instance is running, and replaces its earlier record.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="subscriptions">The subscriptions that it consumes.</param>
    /// <param name="now">The current time.</param>
    /// <param name="validFor">The time for which the record is valid.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The number of instances that consume each of the subscriptions by valid records, including this instance.
    /// </returns>
    public abstract ValueTask<IReadOnlyDictionary<string, int>> RecordAsync(
        string instance,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan validFor,
        CancellationToken cancellationToken);

    /// <summary>Removes the record of an instance that ends.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask ForgetAsync(string instance, CancellationToken cancellationToken);
}
