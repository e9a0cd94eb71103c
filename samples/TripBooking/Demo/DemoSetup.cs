using System.Text;
using EventBus;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace TripBooking.Demo;

/// <summary>Builds the travel agency with a folder for its files, and with a callback for each moment.</summary>
internal delegate IHost AgencyFactory(Settings settings, string folder, Action<Moment> show);

/// <summary>
/// Runs the demo, or one of the two processes of its last part. Outside this folder only one call in Program.cs refers
/// to it.
/// </summary>
internal static class DemoSetup
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>Runs the demo until it ends, until Ctrl-C, or for 90 s.</summary>
    /// <returns>The exit code: 0 if everything is as promised, 1 otherwise.</returns>
    public static async Task<int> RunAsync(Settings settings, AgencyFactory build)
    {
        Console.OutputEncoding = Encoding.UTF8;
        try
        {
            var isRight = settings is { Part: { } part, Folder: { } folder }
                ? await RunAsync(
                    settings,
                    folder,
                    build,
                    ChildProcess.Report,
                    (services, stop) => CrashedPart.RunAsync(services, part, stop))
                : await RunAllAsync(settings, build);
            return isRight ? 0 : 1;
        }
        catch (Exception exception)
        {
            var why = exception is EventBusException fault ? settings.Explain(fault) : exception.Message;
            if (settings.Part is null)
            {
                Screen.Text("", $"The demo did not come to its end: {why}");
            }
            else
            {
                ChildProcess.Report(new Moment(default, "error", why, null));
            }

            return 1;
        }
    }

    private static async Task<bool> RunAllAsync(Settings settings, AgencyFactory build)
    {
        var folder = Directory.CreateTempSubdirectory("trip-booking-");
        var promises = new Promises();
        try
        {
            await RunAsync(settings, folder.FullName, build, Screen.Show, async (services, stop) =>
            {
                await new TripDemo(services, promises).RunAsync(stop);
                return true;
            });

            // The agency is stopped by now, so the second process resumes the interrupted booking.
            using var limit = new CancellationTokenSource(Limit);
            await new CrashDemo(settings, folder.FullName, promises).RunAsync(limit.Token);
        }
        finally
        {
            SqliteConnection.ClearAllPools();
            folder.Delete(recursive: true);
        }

        Screen.Title("7  Promised and measured");
        return promises.Print();
    }

    /// <summary>Starts the agency, runs a part of the demo, and stops the agency.</summary>
    private static async Task<bool> RunAsync(
        Settings settings,
        string folder,
        AgencyFactory build,
        Action<Moment> show,
        Func<IServiceProvider, CancellationToken, Task<bool>> story)
    {
        using var agency = build(settings, folder, show);
        await agency.StartAsync();
        var stopping = agency.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(Limit);
        try
        {
            return await story(agency.Services, limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new TimeoutException(
                stopping.IsCancellationRequested ? "it was stopped." : $"it took longer than {Limit.TotalSeconds} s.");
        }
        finally
        {
            await agency.StopAsync();
        }
    }
}
