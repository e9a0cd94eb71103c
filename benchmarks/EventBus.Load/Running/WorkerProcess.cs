using System.Diagnostics;
using System.Text.Json;

namespace EventBus.Load;

/// <summary>The other end of a <see cref="Worker"/>.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(20);

    private readonly Process process;

    private WorkerProcess(Process process) => this.process = process;

    public static async Task<WorkerProcess> StartAsync(string contender, Arena arena)
    {
        var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. Itself(), Worker.Command]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var worker = new WorkerProcess(process);
        try
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new WorkerOrder(contender, arena, arena.Address), ResultFile.Options));
            if (await process.StandardOutput.ReadLineAsync().WaitAsync(StartPatience) != Worker.Ready)
            {
                throw new InvalidOperationException($"The worker of '{contender}' over {arena.Transport} did not start; what it printed is above.");
            }

            return worker;
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    public async Task<Sample> RunAsync(Work work)
    {
        await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(work, ResultFile.Options));
        return await process.StandardOutput.ReadLineAsync() is { } answer
            ? JsonSerializer.Deserialize<Sample>(answer, ResultFile.Options)!
            : Sample.Failed("The worker ended; what it printed is above.");
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync().WaitAsync(StopPatience);
        }
        catch (TimeoutException)
        {
            process.Kill();
        }

        process.Dispose();
    }

    /// <summary>What comes before the arguments: the program's file, where it was started by the <c>dotnet</c> command.</summary>
    private static IEnumerable<string> Itself() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(Worker).Assembly.Location] : [];
}
