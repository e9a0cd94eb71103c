namespace EventBus;

/// <summary>One step of a subscription's pipeline: what middleware calls to go on.</summary>
/// <param name="context">The delivery being handled.</param>
/// <param name="cancellationToken">The token that the handler is given.</param>
public delegate Task EventDelegate(EventContext context, CancellationToken cancellationToken);
