namespace EventBus;

/// <summary>
/// Runs code around every handler call of the bus, in the order of registration. Each middleware is created once and is
/// called concurrently.
/// </summary>
public interface IEventMiddleware
{
    /// <summary>
    /// Runs around one handler call. If it does not call <paramref name="next"/>, the handler is skipped and the
    /// attempt counts as successful.
    /// </summary>
    /// <param name="context">The delivery being handled.</param>
    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="cancellationToken">The token to pass to <paramref name="next"/>.</param>
    Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken);
}
