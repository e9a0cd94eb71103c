using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;

[assembly: AssemblyFixture(typeof(EventBus.Conformance.Canary))]

namespace EventBus.Conformance;

/// <summary>The password of the test servers: it is known, so that one can look whether it sings. Listens to every exception that is thrown and every trace that is made while the tests of a program run.</summary>
public sealed class Canary : IDisposable
{
    private readonly ConcurrentQueue<string> found = new();
    private readonly ActivityListener traces;

    public Canary()
    {
        traces = new ActivityListener { ShouldListenTo = _ => true, Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded, ActivityStopped = Check };
        ActivitySource.AddActivityListener(traces);
        AppDomain.CurrentDomain.FirstChanceException += Check;
    }

    /// <summary>The password; one that nobody has where the servers have none.</summary>
    public static string Password { get; } = Environment.GetEnvironmentVariable("EVENTBUS_TEST_CANARY") is { Length: > 0 } given ? given : "no-canary-was-given";

    public void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= Check;
        traces.Dispose();
        Assert.True(found.IsEmpty, $"A password was in {found.Count} exceptions or traces, the first: {(found.TryPeek(out var first) ? first : "")}");
    }

    private void Check(object? sender, FirstChanceExceptionEventArgs thrown)
    {
        try
        {
            Check($"{thrown.Exception.GetType()}", thrown.Exception.Message);
        }
        catch (Exception)
        {
            // Whatever is wrong with an exception that cannot even say its message, throwing here would end the process.
        }
    }

    private void Check(Activity trace) => Check($"the trace {trace.DisplayName}", $"{trace.StatusDescription} {string.Join(' ', trace.TagObjects.Select(tag => tag.Value))}");

    private void Check(string what, string text)
    {
        if (text.Contains(Password, StringComparison.Ordinal))
        {
            found.Enqueue($"{what}: {text.Replace(Password, "(the password)", StringComparison.Ordinal)}");
        }
    }
}
