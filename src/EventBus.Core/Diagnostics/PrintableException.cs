namespace EventBus.Transports;

/// <summary>
/// Replaces an exception whose texts must not be passed to a log provider: they contain line breaks or control
/// characters, are very long, cannot be read, or reveal JSON content.
/// </summary>
/// <remarks>
/// Contains the same information as printable lines of limited length: the types of the exception and its inner
/// exceptions, their messages and their stack traces.
/// </remarks>
internal sealed class PrintableException : Exception
{
    private readonly string details;
    private readonly string? trace;

    public PrintableException(Exception original)
        : base(ExceptionText.Of(original))
    {
        details = ExceptionText.DetailsOf(original);
        trace = ExceptionText.TraceOf(original);
        HResult = original.HResult;
    }

    public override string? StackTrace => trace;

    public override string ToString() => details;
}
