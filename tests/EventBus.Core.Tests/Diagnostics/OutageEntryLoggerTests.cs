using System.Net.Sockets;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows what is logged with and without a stack trace while an activity fails.</summary>
public sealed class OutageEntryLoggerTests : IDisposable
{
    private readonly LogMemory log = new();

    [Fact]
    public void Failing_ServerOutOfReach_IsOneLineWithTheCauseAndTheTraceAtDebug()
    {
        var cause = new IOException("The broker is away.\nat the second line", new SocketException((int)SocketError.ConnectionRefused));

        Fail(cause);

        var line = log.Entries[0];
        Assert.Equal((LogLevel.Error, null), (line.Level, line.Exception));
        Assert.Equal(
            $"The background task 'retries' failed and is repeated: The broker is away: {cause.InnerException!.Message.TrimEnd('.')}",
            line.Text);
        Assert.Equal(LogLevel.Debug, log.Entries[1].Level);
        Assert.NotNull(log.Entries[1].Exception);
        Assert.Equal(2, log.Entries.Count);
    }

    [Fact]
    public void Failing_MistakeInTheProgram_KeepsItsTrace()
    {
        var mistake = new InvalidOperationException("A mistake.");

        Fail(mistake);

        Assert.Same(mistake, Assert.Single(log.Entries).Exception);
    }

    public void Dispose() => log.Dispose();

    private void Fail(Exception exception)
    {
        using var factory = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log));
        BackendLog.Create(factory, "EventBus").Failing("retries", exception, full => full.LoopFailed("retries", exception));
    }
}
