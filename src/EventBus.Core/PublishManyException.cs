namespace EventBus;

/// <summary>The exception that is thrown when at least one event of a list was not accepted.</summary>
public sealed class PublishManyException : EventBusException
{
    internal PublishManyException(IReadOnlyList<PublishException?> items)
        : base(Describe(items), items.FirstOrDefault(item => item is not null)) => Items = items;

    /// <summary>The results in the order of the list: null for an accepted event, otherwise the reason.</summary>
    public IReadOnlyList<PublishException?> Items { get; }

    private static string Describe(IReadOnlyList<PublishException?> items)
    {
        var failed = items.Count(item => item is not null);
        return $"{failed} of {items.Count} events were not accepted. The first: {ExceptionText.MessageOf(items.First(item => item is not null)!)} See {nameof(Items)} for each.";
    }
}
