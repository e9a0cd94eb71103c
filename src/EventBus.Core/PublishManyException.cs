namespace EventBus;

/// <summary>At least one event of a list was not accepted.</summary>
public sealed class PublishManyException : EventBusException
{
    internal PublishManyException(IReadOnlyList<PublishException?> items)
        : base(Describe(items), items.FirstOrDefault(item => item is not null)) => Items = items;

    /// <summary>One entry for each event of the list, in its order: null where it was accepted, otherwise why it was not.</summary>
    public IReadOnlyList<PublishException?> Items { get; }

    private static string Describe(IReadOnlyList<PublishException?> items)
    {
        var failed = items.Count(item => item is not null);
        return $"{failed} of {items.Count} events were not accepted. The first: {ExceptionText.MessageOf(items.First(item => item is not null)!)} See {nameof(Items)} for each.";
    }
}
