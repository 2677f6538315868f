// What the questions' own script lacks: answers that a keyboard reaches and a screen
// reader tells, and reasons that are announced.
for (const question of document.querySelectorAll(".quiz.multiple-choice")) {
  const section = question.querySelector(".question-options");
  section.setAttribute("role", "group");
  section.setAttribute("aria-labelledby", question.querySelector(".question-pretext").id);
  const bodies = [...section.querySelectorAll(".option > .sd-card-body")];

  const status = document.createElement("p");
  status.setAttribute("role", "status");
  status.className = "quiz-status";
  question.append(status);

  function tell() {
    for (const body of bodies) {
      body.setAttribute("aria-pressed", body.classList.contains("selected"));
    }
    const reason = section.querySelector(".show-feedback .question-feedback");
    status.textContent = reason ? reason.textContent.trim() : "";
  }

  for (const body of bodies) {
    body.setAttribute("role", "button");
    body.tabIndex = 0;
    body.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        body.click();
      }
    });
    // A click on the reason, or on a link in it, is no answer.
    body.nextElementSibling.addEventListener("click", (event) => event.stopPropagation());
  }
  // The questions' own script listens to the whole document: look when it is done.
  question.addEventListener("click", () => setTimeout(tell));
  tell();
}
