using System.Diagnostics;
using System.Text.Json;

namespace EventBus.Load;

/// <summary>Starts and controls a <see cref="Worker"/> process.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RunPatience = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(20);

    private readonly Process process;

    private WorkerProcess(Process process) => this.process = process;

    /// <summary>Starts a contender.</summary>
    /// <param name="contender">Its name.</param>
    /// <param name="arena">The arena.</param>
    /// <param name="isProfiled">True if the compiler records the addresses of its code, for <c>perf</c>.</param>
    public static Task<WorkerProcess> StartAsync(string contender, Arena arena, bool isProfiled = false) =>
        StartAsync(Environment.ProcessPath!, [.. Itself(), Worker.Command], contender, arena, isProfiled);

    /// <summary>Starts the bus of another build.</summary>
    public static Task<WorkerProcess> StartAsync(OtherBuild build, Arena arena) =>
        StartAsync("dotnet", [build.Path, Worker.Command], ContenderKind.Bus, arena with { Address = build.Address });

    private static async Task<WorkerProcess> StartAsync(
        string program,
        IEnumerable<string> arguments,
        string contender,
        Arena arena,
        bool isProfiled = false)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (isProfiled)
        {
            // 3: only the addresses, in /tmp/perf-ID.map. Code that is mapped twice has no addresses that perf knows.
            start.Environment["DOTNET_PerfMapEnabled"] = "3";
            start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        }

        var process = Process.Start(start)!;
        var worker = new WorkerProcess(process);
        try
        {
            await process.StandardInput.WriteLineAsync(
                JsonSerializer.Serialize(new WorkerOrder(contender, arena, arena.Address), ResultFile.Options));
            if (await process.StandardOutput.ReadLineAsync().WaitAsync(StartPatience) != Worker.Ready)
            {
                throw new InvalidOperationException(
                    $"The worker of '{contender}' over {arena.Transport} did not start; what it printed is above.");
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

    /// <summary>The id of the process.</summary>
    public int Id => process.Id;

    /// <summary>The error of all further measurements; null if there is none.</summary>
    public string? Problem { get; private set; }

    public async Task<Sample> RunAsync(Work work)
    {
        var sample = Problem is { } before ? Sample.Failed(before) : await AskAsync(work);
        Problem = sample.Problem;
        return sample;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(StopPatience);
        }
        catch (Exception exception) when (exception is TimeoutException or IOException)
        {
            process.Kill();
        }

        process.Dispose();
    }

    private async Task<Sample> AskAsync(Work work)
    {
        try
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(work, ResultFile.Options));
            return await process.StandardOutput.ReadLineAsync().WaitAsync(RunPatience) is { } answer
                ? JsonSerializer.Deserialize<Sample>(answer, ResultFile.Options)!
                : Sample.Failed("The worker ended; what it printed is above.");
        }
        catch (IOException)
        {
            return Sample.Failed("The worker has ended; what it printed is above.");
        }
        catch (TimeoutException)
        {
            process.Kill();
            return Sample.Failed($"It gave no answer within {RunPatience.TotalMinutes} minutes: an event was lost, or it hangs.");
        }
    }

    /// <summary>
    /// Returns the arguments before those of the program: its file, if it was started with the <c>dotnet</c> command.
    /// </summary>
    private static IEnumerable<string> Itself() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(Worker).Assembly.Location] : [];
}
