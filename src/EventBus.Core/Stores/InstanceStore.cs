namespace EventBus.Stores;

/// <summary>Which instances of an application share stores that only the processes of one machine, or one process alone, can reach.</summary>
public abstract class InstanceStore
{
    /// <summary>Notes that an instance is alive, in place of what it noted before.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="subscriptions">The subscriptions that it consumes.</param>
    /// <param name="now">The present time.</param>
    /// <param name="validFor">For how long the note holds.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>How many instances consume each of the subscriptions by the notes that hold, this one included.</returns>
    public abstract ValueTask<IReadOnlyDictionary<string, int>> NoteAsync(string instance, IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan validFor, CancellationToken cancellationToken);

    /// <summary>Removes the note of an instance that ends.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask ForgetAsync(string instance, CancellationToken cancellationToken);
}
