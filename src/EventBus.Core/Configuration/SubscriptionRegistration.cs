namespace EventBus;

/// <summary>Collects what is registered for one subscription, before it is checked.</summary>
internal sealed class SubscriptionRegistration(string name)
{
    public string Name { get; } = name;

    public List<HandlerRegistration> Handlers { get; } = [];

    /// <summary>True if the subscription receives the replies to a saga.</summary>
    public bool IsForSaga { get; init; }

    /// <summary>The pattern of event names; null if the subscription has handlers by event type.</summary>
    public string? Pattern { get; set; }

    public Func<EventContext, CancellationToken, Task>? PatternHandler { get; set; }

    /// <summary>
    /// The bus to which the subscription forwards its events instead of handling them; null for any other subscription.
    /// </summary>
    public ForwardRegistration? Forward { get; init; }

    /// <summary>The handler type of <see cref="PatternHandler"/>; null for a delegate.</summary>
    public Type? PatternHandlerType { get; set; }

    /// <summary>The types of the handlers that are classes.</summary>
    public IEnumerable<Type> HandlerTypes => Handlers.Select(handler => handler.HandlerType).Append(PatternHandlerType).OfType<Type>();

    /// <summary>True if the handlers publish through the bus itself on purpose.</summary>
    public bool PublishesDirectly { get; set; }

    public bool Ordered { get; set; }

    /// <summary>
    /// True if the later events of a key continue after an event became a dead letter; false if they wait.
    /// </summary>
    public bool ContinueWhenBlocked { get; set; }

    public List<OrderGuardBinding> Guards { get; } = [];

    /// <summary>The idempotency options; null for the default of the bus.</summary>
    public IdempotencyOptions? Idempotency { get; set; }

    /// <summary>The predicates of exceptions after which an event becomes a dead letter without a retry.</summary>
    public List<Func<Exception, bool>> IsPermanent { get; } = [];

    public SubscriptionOptions Options { get; } = new();
}
