namespace EventBus;

/// <summary>The exception that is thrown when at least one event of a list or stream was not accepted.</summary>
public sealed class PublishManyException : EventBusException
{
    /// <summary>Creates the exception, for instance in a test of code that handles it.</summary>
    /// <param name="items">
    /// The results in the order of the events: null for an accepted event, otherwise the reason. At least one is not
    /// null.
    /// </param>
    /// <exception cref="ArgumentException">All events were accepted.</exception>
    public PublishManyException(IReadOnlyList<PublishException?> items)
        : base(Describe(items), items.First(item => item is not null)) => Items = items;

    /// <summary>The results in the order of the events: null for an accepted event, otherwise the reason.</summary>
    public IReadOnlyList<PublishException?> Items { get; }

    private static string Describe(IReadOnlyList<PublishException?> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        var failed = items.Count(item => item is not null);
        if (failed == 0)
        {
            throw new ArgumentException("All events were accepted.", nameof(items));
        }

        var first = items.First(item => item is not null)!;
        return $"{failed} of {items.Count} events were not accepted. The first: {first.Message} See {nameof(Items)} for each.";
    }
}
