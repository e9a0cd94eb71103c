namespace EventBus;

internal sealed class SubscriptionRegistration(string name)
{
    public string Name { get; } = name;

    public List<HandlerRegistration> Handlers { get; } = [];

    /// <summary>True if the subscription receives the replies to a saga.</summary>
    public bool IsForSaga { get; init; }

    public string? Pattern { get; set; }

    public Func<EventContext, CancellationToken, Task>? PatternHandler { get; set; }

    public bool Ordered { get; set; }

    public bool ContinueWhenBlocked { get; set; }

    public List<OrderGuardBinding> Guards { get; } = [];

    public IdempotencyOptions? Idempotency { get; set; }

    public List<Func<Exception, bool>> IsPermanent { get; } = [];

    public SubscriptionOptions Options { get; } = new();
}
