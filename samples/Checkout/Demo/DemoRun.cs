using EventBus;
using Microsoft.Data.Sqlite;

namespace Checkout.Demo;

/// <summary>Runs the demo or a scene with files of its own, and prints the promises and their figures.</summary>
internal static class DemoRun
{
    /// <param name="settings">The settings, which explain why a bus did not start.</param>
    /// <param name="name">The name for the message that it did not end.</param>
    /// <param name="title">The title above the promises.</param>
    /// <param name="story">Does the work in the folder, which is deleted afterwards, and adds the promises.</param>
    /// <returns>The exit code: 0 if every figure is as promised, 1 otherwise.</returns>
    public static async Task<int> RunAsync(Settings settings, string name, string title, Func<string, Promises, Task> story)
    {
        var folder = Directory.CreateTempSubdirectory("checkout-");
        try
        {
            var promises = new Promises();
            await story(folder.FullName, promises);
            Screen.Title(title);
            return promises.Print() ? 0 : 1;
        }
        catch (Exception exception)
        {
            var why = exception is EventBusException fault ? settings.Explain(fault) : exception.Message;
            Screen.Text("", $"{name} did not come to its end: {why}");
            return 1;
        }
        finally
        {
            SqliteConnection.ClearAllPools();
            folder.Delete(recursive: true);
        }
    }
}
