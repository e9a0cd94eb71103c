namespace EventBus;

/// <summary>Code that runs round every handler call of the bus, in the order of registration. Created once, called from many threads at once.</summary>
public interface IEventMiddleware
{
    /// <summary>Runs round one handler call. Not calling <paramref name="next"/> skips the handler and counts as success.</summary>
    /// <param name="context">The delivery being handled.</param>
    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="cancellationToken">Pass it on to <paramref name="next"/>.</param>
    Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken);
}
