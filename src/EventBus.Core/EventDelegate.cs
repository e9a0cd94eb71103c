namespace EventBus;

/// <summary>Represents the rest of a subscription's pipeline. Middleware calls it to continue.</summary>
/// <param name="context">The delivery being handled.</param>
/// <param name="cancellationToken">The token that is passed to the handler.</param>
public delegate Task EventDelegate(EventContext context, CancellationToken cancellationToken);
