namespace EventBus;

/// <summary>Lists an exception and its inner exceptions.</summary>
internal static class ExceptionChain
{
    /// <summary>
    /// The maximum number of exceptions that a text describes. Of chains and aggregates with more, it describes the
    /// outermost.
    /// </summary>
    public const int MaxLength = 16;

    /// <summary>Returns the exception and its inner exceptions, up to the maximum number.</summary>
    public static IEnumerable<Exception> Of(Exception exception) => All(exception).Take(MaxLength);

    /// <summary>
    /// Returns the exception and its inner exceptions, each before its own inner exceptions. The number may be very
    /// high: use only the first ones.
    /// </summary>
    public static IEnumerable<Exception> All(Exception exception)
    {
        var pending = new Stack<Exception>([exception]);
        while (pending.TryPop(out var next))
        {
            yield return next;
            if (next is AggregateException aggregate)
            {
                // Pushed in reverse order, so that the first inner exception is the next one on the stack.
                foreach (var inner in aggregate.InnerExceptions.Take(MaxLength + 1).Reverse())
                {
                    pending.Push(inner);
                }
            }
            else if (next.InnerException is { } single)
            {
                pending.Push(single);
            }
        }
    }
}
