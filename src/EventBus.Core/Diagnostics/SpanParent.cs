using System.Diagnostics;

namespace EventBus;

/// <summary>
/// Determines the parent of a span from a W3C trace context. The default value means that the current activity is the
/// parent.
/// </summary>
internal static class SpanParent
{
    /// <summary>
    /// Returns the parent of the span of a publish. An event that is sent later, such as an event that a saga
    /// publishes, belongs to the trace in which it was published.
    /// </summary>
    public static ActivityContext OfPublish(string? traceParent, string? traceState)
    {
        var parent = default(ActivityContext);
        if (traceParent is not null && traceParent != Activity.Current?.Id)
        {
            _ = ActivityContext.TryParse(traceParent, traceState, out parent);
        }

        return parent;
    }

    /// <summary>
    /// Returns a parent span that may have been created by another instance. Without a valid trace context, the span
    /// has no remote parent.
    /// </summary>
    public static ActivityContext Remote(string? traceParent, string? traceState)
    {
        _ = ActivityContext.TryParse(traceParent, traceState, isRemote: true, out var parent);
        return parent;
    }
}
