namespace EventBus.Proof;

/// <summary>The event type of fuzz messages with a readable body.</summary>
[EventName(FuzzGenerator.TypedEvent)]
internal sealed record FuzzOrder(
    string Mark,
    long Number,
    int Count,
    decimal Price,
    double Ratio,
    DateTimeOffset At,
    Guid Reference,
    bool IsUrgent,
    string? Note,
    Dictionary<string, string> Map,
    List<int> Items,
    FuzzNode? Node);
