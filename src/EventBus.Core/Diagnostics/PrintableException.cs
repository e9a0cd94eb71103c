namespace EventBus.Transports;

/// <summary>
/// Stands for an exception whose texts do not go to a log provider as they are: they hold line breaks or control
/// characters, are very long, cannot be read, or tell of the content of JSON.
/// </summary>
/// <remarks>
/// Says the same in printable lines of bounded length: the types of the exception and of those in it, their messages,
/// their stack traces.
/// </remarks>
internal sealed class PrintableException : Exception
{
    private readonly string details;
    private readonly string? trace;

    public PrintableException(Exception original)
        : base(ExceptionText.Of(original))
    {
        (details, trace) = (ExceptionText.DetailsOf(original), ExceptionText.TraceOf(original));
        HResult = original.HResult;
    }

    public override string? StackTrace => trace;

    public override string ToString() => details;
}
